//! Names that mean harm: refused, or made harmless; nothing is written outside.

use super::*;

const PIECES: [&str; 20] = [
    "..",
    ".",
    "/etc",
    "~",
    "a/..",
    "a/../..",
    "./..",
    "..\\..",
    "C:\\x",
    "\\\\host\\x",
    "a\0b",
    "\u{1}",
    " ",
    "a/ ",
    "\u{202e}gnp",
    "．．",
    "․․",
    "%2e%2e",
    "file:///tmp",
    "x.png",
];

/// Each piece alone, before, behind and between others: 200 names.
fn names() -> impl Iterator<Item = String> {
    PIECES.iter().flat_map(|piece| {
        [
            (*piece).to_owned(),
            format!("{piece}/x"),
            format!("x/{piece}"),
            format!("x/{piece}/y"),
            format!("{piece}/{piece}"),
            format!("/{piece}"),
            format!("../{piece}/near"),
            format!("{piece}/../../near"),
            format!("{piece}.png"),
            format!("{piece}{piece}"),
        ]
    })
}

#[tokio::test]
async fn no_name_is_written_outside() {
    assert_eq!(names().count(), 200);
    let room = Room::with(policy(), [("/a", ok(&picture(ImageFormat::Png)))]).await;
    fs::create_dir_all(room.root().join("near")).unwrap();
    let link = format!("{}/a", room.stub.url);
    let mut written = 0;
    for name in names() {
        for path in [OutPath::new(&name), OutPath::for_id(&name)].into_iter().flatten() {
            let saved = room.downloader.fetch(&link, &room.root(), &path, None).await.unwrap();
            assert!(room.root().join(&saved.file).is_file(), "{name:?}: {saved:?}");
            written += 1;
        }
    }
    assert!(written > 20, "{written}: nothing was tried");
    let inside = room.root().canonicalize().unwrap();
    for file in files(room.out.path()) {
        assert!(file.canonicalize().unwrap().starts_with(&inside), "{}", file.display());
    }
}
