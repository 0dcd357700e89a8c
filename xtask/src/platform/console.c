/* Sends a console event to a process: console.exe ctrl-c|ctrl-break|close PID
 *
 * Ctrl-C goes through the process's console. Wine has no call for the two others, so there a thread
 * is started in the process in the routine in which the system starts one for each event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static int failed(const char *call) {
    fprintf(stderr, "%s: error %lu\n", call, GetLastError());
    return 1;
}

static int through_the_console(DWORD event, DWORD pid) {
    FreeConsole();
    if (!AttachConsole(pid)) return failed("AttachConsole");
    /* This process has the same console now, and is not to end by the event. */
    if (!SetConsoleCtrlHandler(NULL, TRUE)) return failed("SetConsoleCtrlHandler");
    if (!GenerateConsoleCtrlEvent(event, 0)) return failed("GenerateConsoleCtrlEvent");
    return 0;
}

static int in_the_routine(DWORD event, DWORD pid) {
    void *routine = (void *)GetProcAddress(GetModuleHandleA("kernelbase.dll"), "CtrlRoutine");
    HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
    if (!process) return failed("OpenProcess");
    if (!routine) return failed("GetProcAddress");
    if (!CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)routine,
                            (void *)(ULONG_PTR)event, 0, NULL))
        return failed("CreateRemoteThread");
    return 0;
}

int main(int count, char **arguments) {
    if (count == 3) {
        DWORD pid = strtoul(arguments[2], NULL, 10);
        if (!strcmp(arguments[1], "ctrl-c")) return through_the_console(CTRL_C_EVENT, pid);
        if (!strcmp(arguments[1], "ctrl-break")) return in_the_routine(CTRL_BREAK_EVENT, pid);
        if (!strcmp(arguments[1], "close")) return in_the_routine(CTRL_CLOSE_EVENT, pid);
    }
    fprintf(stderr, "usage: console.exe ctrl-c|ctrl-break|close PID\n");
    return 2;
}
