//! Credentials: secrets that systemd passes as files.

use std::{
    env,
    fs::File,
    io::{self, Read as _},
    path::{Component, Path},
};

use task_core::scope::guarded_name;

use crate::error::{ErrorKind, SystemdError};

/// The size of the largest credential, as systemd limits them.
const MAX: u64 = 1 << 20;

/// Reads a credential that the unit passes by `LoadCredential=` or `SetCredential=`, as bytes and
/// with nothing removed. `None` if the unit passes no credential, or none of this name.
///
/// Blocks while it reads a file, which is in memory.
///
/// # Errors
///
/// If the name is not that of a file, such as one with a slash; if the file cannot be read; or if
/// it is larger than 1 MiB, which is more than systemd passes.
///
/// # Examples
///
/// ```
/// use task_systemd::credential;
///
/// # fn main() -> Result<(), task_systemd::SystemdError> {
/// let token: Option<Vec<u8>> = credential("token")?;
/// assert!(credential("../token").is_err_and(|error| error.is_setting()));
/// # Ok(()) }
/// ```
pub fn credential(name: &str) -> Result<Option<Vec<u8>>, SystemdError> {
    let mut components = Path::new(name).components();
    let is_plain = matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(only)), None) if only == name
    );
    if !is_plain || name.contains('\0') {
        let fault = "is not the name of a file";
        let (what, value) = ("credential name", guarded_name(name));
        return Err(ErrorKind::Setting { what, value, fault }.into());
    }
    let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    match read(&Path::new(&folder).join(name)) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ErrorKind::Credential { name: guarded_name(name), source }.into()),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(content)
}
