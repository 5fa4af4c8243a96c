//! Parquet, with the pictures in it as `datasets` keeps them: a group of
//! bytes and path, named an `Image` in the file's metadata.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use serde_json::{Map, json};

use super::ExportError;
use super::columns::Column;
use super::feed::Feed;
use super::provenance;
use super::table::Table;
use super::value::{Cell, Kind};
use crate::ledger::{Entry, Picture};

/// A row group is written when it holds so much.
const GROUP_BYTES: usize = 32 << 20;
const GROUP_ROWS: usize = 10_000;

struct Parquet {
    writer: SerializedFileWriter<BufWriter<File>>,
    path: PathBuf,
    /// Values of the open row group: bytes and path of the picture, then the columns.
    leaves: Vec<Leaf>,
    rows: usize,
    bytes: usize,
}

/// The values of one column and how deep each row's is defined.
struct Leaf {
    values: Values,
    levels: Vec<i16>,
}

enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

pub(super) fn table(
    file: BufWriter<File>,
    path: &Path,
    feed: &Feed<'_>,
) -> Result<Box<dyn Table>, ExportError> {
    let open = || -> Result<_, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Pictures are compressed already, and no two are the same.
            .set_column_compression(
                ColumnPath::from(vec!["image".into(), "bytes".into()]),
                Compression::UNCOMPRESSED,
            )
            .set_column_dictionary_enabled(ColumnPath::from(vec!["image".into(), "bytes".into()]), false)
            .set_column_statistics_enabled(
                ColumnPath::from(vec!["image".into(), "bytes".into()]),
                parquet::file::properties::EnabledStatistics::None,
            )
            .set_created_by(concat!("imgbatch ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "huggingface".to_owned(),
                features(&feed.columns),
            )]))
            .build();
        SerializedFileWriter::new(file, Arc::new(schema(&feed.columns)?), Arc::new(properties))
    };
    let writer = open().map_err(|error| ExportError::encode(path)(error.into()))?;
    let kinds = [Kind::Text, Kind::Text].into_iter().chain(feed.columns.iter().map(|column| column.kind));
    let leaves = kinds.map(Leaf::new).collect();
    Ok(Box::new(Parquet { writer, path: path.to_owned(), leaves, rows: 0, bytes: 0 }))
}

/// What `datasets` reads to know the picture for a picture.
fn features(columns: &[Column]) -> String {
    let mut features = Map::new();
    features.insert("image".to_owned(), json!({ "_type": "Image" }));
    for column in columns {
        features.insert(column.name.clone(), json!({ "dtype": column.kind.name(), "_type": "Value" }));
    }
    json!({ "info": { "features": features } }).to_string()
}

fn schema(columns: &[Column]) -> Result<Type, ParquetError> {
    let image = Type::group_type_builder("image")
        .with_repetition(Repetition::OPTIONAL)
        .with_fields(vec![
            Arc::new(leaf("bytes", Physical::BYTE_ARRAY, false)?),
            Arc::new(leaf("path", Physical::BYTE_ARRAY, true)?),
        ])
        .build()?;
    let mut fields = vec![Arc::new(image)];
    for column in columns {
        let physical = match column.kind {
            Kind::Bool => Physical::BOOLEAN,
            Kind::Int => Physical::INT64,
            Kind::Float => Physical::DOUBLE,
            Kind::Text => Physical::BYTE_ARRAY,
        };
        fields.push(Arc::new(leaf(&column.name, physical, column.kind == Kind::Text)?));
    }
    Type::group_type_builder("schema").with_fields(fields).build()
}

fn leaf(name: &str, physical: Physical, text: bool) -> Result<Type, ParquetError> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    let builder = if text {
        builder.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8)
    } else {
        builder
    };
    builder.build()
}

impl Table for Parquet {
    fn add(
        &mut self,
        feed: &Feed<'_>,
        entry: &Entry,
        split: &str,
    ) -> Result<Result<(), String>, ExportError> {
        match &entry.picture {
            None => self.leaves[..2].iter_mut().for_each(|leaf| leaf.absent(0)),
            Some(picture) if feed.options.paths => match feed.file(picture)? {
                Err(why) => return Ok(Err(why)),
                Ok(path) => {
                    let path = fs::canonicalize(&path).map_err(ExportError::file(&path))?;
                    self.leaves[0].absent(1);
                    self.leaves[1].bytes(path.display().to_string().into_bytes(), 2);
                }
            },
            Some(picture) => match content(feed, entry, picture)? {
                Err(why) => return Ok(Err(why)),
                Ok(bytes) => {
                    self.bytes += bytes.len();
                    self.leaves[0].bytes(bytes, 2);
                    self.leaves[1].bytes(picture.place.path.clone().into_bytes(), 2);
                }
            },
        }
        for (leaf, column) in self.leaves[2..].iter_mut().zip(&feed.columns) {
            leaf.cell(column.cell(entry, split));
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(Ok(()))
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.flush()?;
        let path = self.path.clone();
        let close = || -> Result<(), Box<dyn std::error::Error>> {
            use std::io::Write;
            let mut file = self.writer.into_inner()?;
            Ok(file.flush()?)
        };
        close().map_err(ExportError::encode(path))
    }
}

fn content(
    feed: &Feed<'_>,
    entry: &Entry,
    picture: &Picture,
) -> Result<Result<Vec<u8>, String>, ExportError> {
    let bytes = match feed.bytes(picture)? {
        Ok(bytes) if feed.options.embed => {
            provenance::embed(bytes, &provenance::chunks(&provenance::story(entry))?)
        }
        other => return Ok(other),
    };
    Ok(Ok(bytes))
}

impl Parquet {
    /// Writes the open row group.
    fn flush(&mut self) -> Result<(), ExportError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut write = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            for leaf in &mut self.leaves {
                let Some(mut column) = group.next_column()? else { break };
                leaf.write(column.untyped())?;
                column.close()?;
            }
            group.close().map(drop)
        };
        write().map_err(|error| ExportError::encode(&self.path)(error.into()))?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Leaf {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Int => Values::Int(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Text => Values::Bytes(Vec::new()),
        };
        Self { values, levels: Vec::new() }
    }

    fn absent(&mut self, level: i16) {
        self.levels.push(level);
    }

    fn bytes(&mut self, bytes: Vec<u8>, level: i16) {
        if let Values::Bytes(values) = &mut self.values {
            values.push(bytes.into());
            self.levels.push(level);
        }
    }

    fn cell(&mut self, cell: Cell) {
        match (&mut self.values, cell) {
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (Values::Int(values), Cell::Int(number)) => values.push(number),
            (Values::Float(values), Cell::Float(number)) => values.push(number),
            (Values::Bytes(values), Cell::Text(text)) => values.push(text.into_bytes().into()),
            _ => return self.absent(0),
        }
        self.levels.push(1);
    }

    /// Writes and forgets the values.
    fn write(&mut self, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        match (&mut self.values, column) {
            (Values::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), Some(&levels), None)?
            }
            (Values::Int(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), Some(&levels), None)?
            }
            (Values::Float(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), Some(&levels), None)?
            }
            (Values::Bytes(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), Some(&levels), None)?
            }
            _ => return Err(ParquetError::General("a column has another type than its values".into())),
        };
        Ok(())
    }
}
