//! From an item to a wanted job: renders the parameters, looks at local
//! pictures, applies the model's rules and names the output path.

use serde_json::{Map, Value};

use crate::job::{OutPath, Reference, Request, Wanted};
use crate::manifest::Manifest;
use crate::model::{Draft, Prices, canonical, dimensions};

use super::alpha::Alpha;
use super::entry::{Entry, Meta, Number};
use super::expand::{Item, own_scope, template_wrong};
use super::files::{Files, Picture};
use super::mask::{Fit, mask_size, stretch};
use super::report::{Report, Wrong};
use super::scope::Scope;
use super::template::Text;

/// What building needs besides the item.
#[derive(Debug)]
pub(super) struct Builder<'b> {
    pub(super) manifest: &'b Manifest,
    pub(super) prices: &'b Prices,
    pub(super) files: Files,
}

impl Builder<'_> {
    /// The wanted job, or all that is wrong with it.
    pub(super) fn wanted(
        &mut self,
        entry: &Entry<'_, '_>,
        item: &Item<'_>,
        report: &mut Report<'_>,
    ) -> Result<Wanted, Vec<Wrong>> {
        let mut wrongs = vec![];
        let request = self.request(entry, item, report, &mut wrongs);
        let path = collect(out_path(entry, item), &mut wrongs);
        let meta = meta(entry, item, &mut wrongs);
        let (Some(request), Some(path), true) = (request, path, wrongs.is_empty()) else {
            return Err(wrongs);
        };
        Ok(Wanted {
            id: item.id.clone(),
            fingerprint: request.fingerprint(),
            path,
            axes: item.cell.keys.clone(),
            meta,
            skip: item.skip,
            size: dimensions(&request.size, request.resolution.as_deref()),
            estimate: self.prices.estimate(&request),
            request,
        })
    }

    fn request(
        &mut self,
        entry: &Entry<'_, '_>,
        item: &Item<'_>,
        report: &mut Report<'_>,
        wrongs: &mut Vec<Wrong>,
    ) -> Option<Request> {
        let before = wrongs.len();
        let mut draft = Draft { n: collect(number(entry, item.scope), wrongs).flatten(), ..Draft::default() };
        let words = item
            .phrase
            .render(item.scope)
            .map_err(|error| self.at_words(entry, item, template_wrong(entry.words_key, error)));
        draft.prompt = collect(words, wrongs).unwrap_or_default();
        for (field, text) in &entry.params {
            let value =
                collect(text.render(item.scope).map_err(|error| template_wrong(field, error)), wrongs);
            *slot(&mut draft, field) = value;
        }
        let rendered = wrongs.len() == before;
        self.references(entry, item, &mut draft, report, wrongs);
        if !rendered {
            return None;
        }
        match canonical(draft) {
            Ok(_) if wrongs.len() > before => None,
            Ok((request, notices)) => {
                for notice in notices {
                    let wrong = Wrong::new(notice.field, notice.message).with_help(notice.help);
                    report.warn(item.place, wrong.of_job(&item.id));
                }
                Some(request)
            }
            Err(violations) => {
                wrongs.extend(violations.into_iter().map(|violation| {
                    let key = if violation.field == "prompt" { entry.words_key } else { violation.field };
                    let wrong = Wrong::new(key, violation.message).with_help(violation.help);
                    if violation.field == "prompt" { self.at_words(entry, item, wrong) } else { wrong }
                }));
                None
            }
        }
    }

    /// An entry of a list of prompts is shown itself, not the whole list.
    #[expect(clippy::unused_self, reason = "reads as one of the builder's steps")]
    fn at_words(&self, entry: &Entry<'_, '_>, item: &Item<'_>, wrong: Wrong) -> Wrong {
        match (&entry.words, item.phrase.at) {
            (super::words::Words::List(_), Some(at)) => wrong.below(at as usize),
            _ => wrong,
        }
    }

    fn references(
        &mut self,
        entry: &Entry<'_, '_>,
        item: &Item<'_>,
        draft: &mut Draft,
        report: &mut Report<'_>,
        wrongs: &mut Vec<Wrong>,
    ) {
        let mut first = None;
        for (at, text) in entry.images.iter().enumerate() {
            match self.reference("images", text, item.scope) {
                Ok((reference, picture, _)) => {
                    draft.images.push(reference);
                    first = if at == 0 { picture } else { first };
                }
                Err(wrong) => wrongs.push(wrong.below(at)),
            }
        }
        let fit = entry.fit.as_ref().map_or(Ok(Fit::Exact), |fit| {
            fit.render(item.scope)
                .map_err(|error| template_wrong("fit", error))
                .and_then(|fit| Fit::parse(&fit))
        });
        let fit = collect(fit, wrongs).unwrap_or_default();
        let Some(mask) = &entry.mask else { return };
        match self.reference("mask", mask, item.scope) {
            Ok((mut reference, picture, name)) => {
                if let (Reference::File { path, scaled_to, .. }, Some(mask)) = (&mut reference, &picture)
                    && let Some(size) = collect(mask_size(&name, mask, first.as_ref(), fit), wrongs)
                {
                    *scaled_to = size;
                    let stretched = size.and_then(|to| stretch(&name, mask.size, to));
                    let idle = collect(self.idle_mask(&name, path), wrongs).flatten();
                    for wrong in stretched.into_iter().chain(idle) {
                        report.warn(item.place, wrong.of_job(&item.id));
                    }
                }
                draft.mask = Some(reference);
            }
            Err(wrong) => wrongs.push(wrong),
        }
    }

    /// A mask that says all or nothing is allowed and rarely meant.
    fn idle_mask(&mut self, name: &str, path: &std::path::Path) -> Result<Option<Wrong>, Wrong> {
        let idle = match self.files.alpha(path).map_err(|reason| Wrong::new("mask", reason))? {
            Alpha::Mixed => return Ok(None),
            Alpha::Opaque => "opaque everywhere, so nothing would be painted anew",
            Alpha::Clear => "transparent everywhere, so all of the picture would be painted anew",
        };
        let help = "its transparent part is what is painted anew";
        Ok(Some(Wrong::new("mask", format!("{name}: the mask is {idle}")).with_help(Some(help))))
    }

    fn reference(
        &mut self,
        key: &str,
        text: &Text<'_, '_>,
        scope: &Scope,
    ) -> Result<(Reference, Option<Picture>, String), Wrong> {
        let text = text.render(scope).map_err(|error| template_wrong(key, error))?;
        let path = self.manifest.resolve(&text);
        match self.files.reference(&text, path) {
            Ok((reference, picture)) => Ok((reference, picture, text)),
            Err(reason) => Err(Wrong::new(key, reason)),
        }
    }
}

fn collect<T>(result: Result<T, Wrong>, wrongs: &mut Vec<Wrong>) -> Option<T> {
    result.map_err(|wrong| wrongs.push(wrong)).ok()
}

fn slot<'d>(draft: &'d mut Draft, field: &str) -> &'d mut Option<String> {
    match field {
        "model" => &mut draft.model,
        "size" => &mut draft.size,
        "resolution" => &mut draft.resolution,
        "quality" => &mut draft.quality,
        "background" => &mut draft.background,
        _ => &mut draft.callback_url,
    }
}

fn number(entry: &Entry<'_, '_>, scope: &Scope) -> Result<Option<i64>, Wrong> {
    match &entry.n {
        None => Ok(None),
        Some(Number::Fixed(number)) => Ok(Some(*number)),
        Some(Number::Rendered(text)) => {
            let text = text.render(scope).map_err(|error| template_wrong("n", error))?;
            text.trim()
                .parse()
                .map(Some)
                .map_err(|_| Wrong::new("n", format!("`n` yields {text:?}, which is no whole number")))
        }
    }
}

/// The default is the job's id.
fn out_path(entry: &Entry<'_, '_>, item: &Item<'_>) -> Result<OutPath, Wrong> {
    let Some(out) = &entry.out else {
        return OutPath::for_id(&item.id).map_err(|error| {
            let help = "give the job another `id`, its values shorter names, or a path in `out`";
            Wrong::new("id", error.to_string()).with_help(Some(help))
        });
    };
    let name = out.render(&own_scope(item)).map_err(|error| template_wrong("out", error))?;
    OutPath::new(&name).map_err(|error| Wrong::new("out", error.to_string()))
}

fn meta(entry: &Entry<'_, '_>, item: &Item<'_>, wrongs: &mut Vec<Wrong>) -> Map<String, Value> {
    let mut columns = Map::new();
    if entry.meta.is_empty() {
        return columns;
    }
    let own = own_scope(item);
    for (column, value) in &entry.meta {
        let value = match value {
            Meta::Other(value) => Ok((*value).clone()),
            Meta::Text(text) => text.render(&own).map(Value::String),
        };
        match value {
            Ok(value) => {
                columns.insert((*column).to_owned(), value);
            }
            Err(error) => wrongs.push(template_wrong("meta", error).below(*column)),
        }
    }
    columns
}
