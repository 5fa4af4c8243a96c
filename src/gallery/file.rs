//! Files of the gallery: written beside their place, then named; readable by
//! their owner only.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::Builder;

use super::GalleryError;

/// Gives `path` the content that `write` makes, all of it or nothing, synced.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), GalleryError>,
) -> Result<(), GalleryError> {
    let folder = folder_of(path);
    let temp =
        Builder::new().prefix(".imgbatch-").tempfile_in(folder).map_err(GalleryError::writing(path))?;
    let mut file = BufWriter::with_capacity(256 * 1024, temp);
    write(&mut file).map_err(|error| named(error, path))?;
    let temp = file.into_inner().map_err(|error| GalleryError::writing(path)(error.into_error()))?;
    temp.as_file().sync_all().map_err(GalleryError::writing(path))?;
    temp.persist(path).map_err(|error| GalleryError::writing(path)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(GalleryError::writing(folder))
}

fn named(error: GalleryError, path: &Path) -> GalleryError {
    match error {
        GalleryError::Page(source) => GalleryError::Write { path: path.to_owned(), source },
        other => other,
    }
}

/// A relative path of plain names.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// What stands before a path below `out` in a link from the page at `to`:
/// nothing, or a path that ends with `/`.
pub(super) fn link_between(to: &Path, out: &Path) -> Result<String, GalleryError> {
    let real = |path: &Path| fs::canonicalize(path).map_err(GalleryError::writing(to));
    Ok(relative(&real(folder_of(to))?, &real(out)?))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn relative(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down: PathBuf = to.components().skip(shared).collect();
    let down = down.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>();
    up.chain(down).map(|part| part + "/").collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn links_lead_from_the_page_to_the_folder() {
        for (from, to, link) in [
            ("/a/out", "/a/out", ""),
            ("/a", "/a/out", "out/"),
            ("/a/out/x", "/a/out", "../"),
            ("/b/c", "/a/out", "../../a/out/"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), link, "{from} to {to}");
        }
    }

    #[test]
    fn only_plain_paths_are_shown() {
        for (path, plain) in
            [("images/a.png", true), ("", false), ("/etc/a.png", false), ("images/../../a.png", false)]
        {
            assert_eq!(is_plain(path), plain, "{path}");
        }
    }

    #[test]
    fn a_page_that_fails_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        replace(&path, |file| Ok(file.write_all(b"old")?)).unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"new")?;
            Err(std::io::Error::other("no more").into())
        });
        assert_eq!(failed.unwrap_err().to_string(), format!("can't write {}", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
