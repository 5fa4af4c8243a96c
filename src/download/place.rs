//! Moving about below a root folder without ever leaving it: no `..`, no
//! symbolic link on the way, nothing overwritten, everything synced.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Begins the name of every temporary file; no picture begins with a dot.
pub(super) const PREFIX: &str = ".imgbatch-";

/// Moves the file `from` to `to`, both relative to `root`; blocking. Makes
/// folders, syncs both, refuses to overwrite and to pass a symbolic link
/// below `root`.
pub fn relocate(root: &Path, from: &Path, to: &Path) -> io::Result<()> {
    let source = existing_parent(root, from)?.join(name(from)?);
    if !fs::symlink_metadata(&source)?.is_file() {
        return Err(refused(&source, "is not a regular file"));
    }
    let target = make_parent(root, to, || {})?.join(name(to)?);
    rename_new(&source, &target)?;
    sync_up(root, to)?;
    sync_up(root, from)
}

/// Removes temporary files that a crash left below `root` and counts them;
/// blocking. Only while nothing downloads there. Symbolic links are not
/// followed; a missing root holds none.
pub fn sweep(root: &Path) -> io::Result<u64> {
    let mut removed = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// The folder that `relative` lies in, made where it is missing; `made` hears of
/// each that was. The caller calls [`sync_up`] once the file is there.
pub(super) fn make_parent(root: &Path, relative: &Path, made: impl Fn()) -> io::Result<PathBuf> {
    if !root.is_dir() {
        fs::create_dir_all(root)?;
        made();
    }
    walk(root, relative, |folder| match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Err(_) => Ok(()),
        Ok(()) => {
            made();
            Ok(())
        }
    })
}

fn existing_parent(root: &Path, relative: &Path) -> io::Result<PathBuf> {
    walk(root, relative, |_| Ok(()))
}

/// Walks from `root` to the folder of `relative`; `step` may make the next
/// one before it is checked.
fn walk(root: &Path, relative: &Path, step: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let mut folder = root.to_owned();
    for component in relative.parent().unwrap_or(Path::new("")).components() {
        let Component::Normal(part) = component else {
            return Err(refused(relative, "is not a plain relative path"));
        };
        folder.push(part);
        step(&folder)?;
        if !fs::symlink_metadata(&folder)?.is_dir() {
            return Err(refused(&folder, "is not a folder (a symbolic link is not followed)"));
        }
    }
    Ok(folder)
}

fn name(relative: &Path) -> io::Result<&std::ffi::OsStr> {
    match relative.components().next_back() {
        Some(Component::Normal(name)) => Ok(name),
        _ => Err(refused(relative, "names no file")),
    }
}

/// Syncs every folder from the one that holds `relative` to the one that
/// holds `root`. All of them: another download may have made a folder and not
/// have synced it yet.
pub fn sync_up(root: &Path, relative: &Path) -> io::Result<()> {
    let folders = relative.ancestors().skip(1).map(|folder| root.join(folder));
    let above = root.parent().filter(|above| !above.as_os_str().is_empty()).map(Path::to_owned);
    for folder in folders.chain(above) {
        File::open(&folder)?.sync_all()?;
    }
    Ok(())
}

/// Renames unless `target` exists, in one step where the file system can.
fn rename_new(source: &Path, target: &Path) -> io::Result<()> {
    match renameat_with(CWD, source, CWD, target, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(source, target)?;
            fs::remove_file(source)
        }
        result => Ok(result?),
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn moved(root: &Path, from: &str, to: &str) -> io::Result<()> {
        relocate(root, Path::new(from), Path::new(to))
    }

    #[test]
    fn a_file_moves_into_new_folders() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.png"), b"a").unwrap();
        moved(root.path(), "a.png", "replaced/1/a.png").unwrap();
        assert_eq!(fs::read(root.path().join("replaced/1/a.png")).unwrap(), b"a");
        assert!(!root.path().join("a.png").exists());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_leaves_the_root() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::create_dir(outer.path().join("outside")).unwrap();
        for file in ["root/a", "root/b", "outside/c"] {
            fs::write(outer.path().join(file), file).unwrap();
        }
        symlink(outer.path().join("outside"), root.join("link")).unwrap();
        symlink(root.join("a"), root.join("alias")).unwrap();
        for (from, to) in [
            ("a", "b"),
            ("a", "folder"),
            ("a", "../a"),
            ("a", "link/a"),
            ("a", "x/../../a"),
            ("a", "/tmp/a"),
            ("a", ""),
            ("a", ".."),
            ("link/c", "c"),
            ("../outside/c", "c"),
            ("alias", "d"),
            ("folder", "d"),
            ("none", "d"),
        ] {
            assert!(moved(&root, from, to).is_err(), "{from} to {to}");
        }
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "root/a");
        assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "root/b");
        assert_eq!(fs::read_dir(outer.path().join("outside")).unwrap().count(), 1);
    }

    #[test]
    fn only_our_temporary_files_are_swept() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("deep/er")).unwrap();
        fs::create_dir(outer.path().join("outside")).unwrap();
        for file in [
            "root/.imgbatch-1",
            "root/deep/er/.imgbatch-2",
            "root/a.png",
            "root/.other",
            "outside/.imgbatch-3",
        ] {
            fs::write(outer.path().join(file), b"").unwrap();
        }
        symlink(outer.path().join("outside"), root.join("link")).unwrap();
        assert_eq!(sweep(&root).unwrap(), 2);
        assert_eq!(sweep(&root).unwrap(), 0);
        assert!(root.join("a.png").exists() && root.join(".other").exists());
        assert!(outer.path().join("outside/.imgbatch-3").exists());
        assert_eq!(sweep(&outer.path().join("missing")).unwrap(), 0);
    }
}
