//! The TOML file. Its settings become flags in front of the given ones, so that the same rules
//! check them and the given flags override them.

use std::{env, ffi::OsString, fs, path::Path};

use clap::{
    ArgAction, Command, CommandFactory as _, FromArgMatches as _, Parser as _, error::ErrorKind,
};
use toml::{Table, Value};

use super::Config;

/// Parses the command line, the environment, and the file that either of them names.
///
/// # Errors
///
/// Returns clap's error, also for `--help`: call its [`exit`](clap::Error::exit). An error in the
/// file names the file.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let config = Config::try_parse_from(&arguments)?;
    let Some(path) = config.config else { return Ok(config) };
    let command = Config::command();
    let from_file = read(&command, &path).map_err(|message| {
        let message = format!("{}: {message}", path.display());
        command.clone().error(ErrorKind::InvalidValue, message)
    })?;
    let program = arguments.first().cloned().unwrap_or_else(|| "pipeline".into());
    // Alone first, so that an error in the file does not look like one of the command line.
    let alone = [program.clone()].into_iter().chain(from_file.clone());
    command.clone().try_get_matches_from(alone).map_err(|error| {
        let message = format!("{}: {}", path.display(), first_line(&error));
        command.clone().error(ErrorKind::InvalidValue, message)
    })?;
    let all = [program].into_iter().chain(from_file).chain(arguments.into_iter().skip(1));
    Config::from_arg_matches(&command.try_get_matches_from(all)?)
}

/// Reads the file as flags, without those that an environment variable overrides.
fn read(command: &Command, path: &Path) -> Result<Vec<OsString>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut flags = Vec::new();
    for (key, value) in &table {
        let known = command.get_arguments().find(|argument| argument.get_long() == Some(key));
        let argument = known
            .filter(|argument| argument.get_id() != "config")
            .ok_or_else(|| format!("unknown setting `{key}`"))?;
        if argument.get_env().is_some_and(|variable| env::var_os(variable).is_some()) {
            continue;
        }
        let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
        match (is_switch, value) {
            (true, Value::Boolean(true)) => flags.push(format!("--{key}").into()),
            (true, Value::Boolean(false)) => {}
            (true, _) => return Err(format!("`{key}` is true or false")),
            (false, Value::Array(values)) => {
                for value in values {
                    flags.push(flag(key, value)?);
                }
            }
            (false, value) => flags.push(flag(key, value)?),
        }
    }
    Ok(flags)
}

fn flag(key: &str, value: &Value) -> Result<OsString, String> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        other => return Err(format!("`{key}` cannot be a {}", other.type_str())),
    };
    Ok(format!("--{key}={value}").into())
}

/// Returns clap's message without the usage below it.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    /// Parses arguments with a file of this text.
    fn parse_with(text: &str, arguments: &[&str]) -> Result<Config, clap::Error> {
        // Tests share a process, so each text has its own file.
        let name = format!("pipeline-config-{}-{:p}.toml", std::process::id(), text.as_ptr());
        let path = env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        let file = [OsString::from("pipeline"), "--config".into(), path.clone().into()];
        let parsed = parse(file.into_iter().chain(arguments.iter().map(OsString::from)));
        fs::remove_file(&path).unwrap();
        parsed
    }

    #[test]
    fn the_clap_definition_is_valid() {
        Config::command().debug_assert();
    }

    #[test]
    fn settings_have_defaults() {
        let config = parse(["pipeline".into()]).unwrap();
        assert_eq!((config.generator.rate, config.kafka.brokers), (500, None));
        assert_eq!(config.watching.http_address, "127.0.0.1:9090".parse().unwrap());
        assert_eq!((config.ending.shutdown_budget, config.ending.platform), (None, None));
    }

    #[test]
    fn the_file_overrides_defaults_and_a_flag_overrides_the_file() {
        let text =
            "rate = 7\ngenerate = true\nretention = \"2m\"\nkafka-setting = [\"a=b\", \"c=d\"]";
        let config = parse_with(text, &["--rate", "9"]).unwrap();
        assert_eq!((config.generator.rate, config.generator.generate), (9, true));
        assert_eq!(config.database.retention, Duration::from_secs(120));
        assert_eq!(config.kafka.kafka_setting.len(), 2);
    }

    #[test]
    fn an_error_in_the_file_names_the_file() {
        for (text, expected) in [
            ("speed = 3", "unknown setting `speed`"),
            ("config = \"other.toml\"", "unknown setting `config`"),
            ("rate = -1", "invalid value '-1' for '--rate <ORDERS>'"),
            ("generate = 1", "`generate` is true or false"),
            ("[rate]", "`rate` cannot be a table"),
            ("rate =", "TOML parse error"),
        ] {
            let error = parse_with(text, &[]).unwrap_err().to_string();
            assert!(error.contains(".toml: ") && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let error = parse(["pipeline".into(), "--config=/no/such.toml".into()]).unwrap_err();
        assert!(error.to_string().contains("/no/such.toml: "), "{error}");
    }

    #[test]
    fn debug_output_hides_secrets() {
        let setting = "--kafka-setting=sasl.password=hunter2".into();
        let config = parse(["pipeline".into(), setting]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
