//! What a prompt's words say about colours and about the kind of picture.

use super::scenes::{Family, Thing};
use super::tone::Tone;

/// The light of the whole picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Light {
    #[default]
    Day,
    Dusk,
    Night,
}

/// What was found in a prompt.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    /// Colours in the order of their words, at most five.
    pub(super) tones: Vec<Tone>,
    pub(super) light: Option<Light>,
    pub(super) family: Option<Family>,
    pub(super) thing: Option<Thing>,
    /// Where no trees grow.
    pub(super) barren: bool,
}

impl Hints {
    pub(super) fn of(prompt: &str) -> Self {
        let mut hints = Self::default();
        for word in prompt.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
            let word = singular(word);
            if let Some(tone) = tone(word)
                && hints.tones.len() < 5
                && !hints.tones.contains(&tone)
            {
                hints.tones.push(tone);
            }
            hints.light = hints.light.or_else(|| light(word));
            hints.family = hints.family.or_else(|| family(word));
            hints.barren |= matches!(word, "desert" | "ocean" | "sea" | "canyon" | "dune" | "moon");
            hints.thing = hints.thing.or_else(|| thing(word));
        }
        hints
    }
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|word| word.len() > 3 && !word.ends_with('s')).unwrap_or(word)
}

fn tone(word: &str) -> Option<Tone> {
    let (l, c, h) = match word {
        "red" | "scarlet" | "crimson" | "ruby" | "tomato" | "poppy" => (0.58, 0.19, 27.0),
        "fox" | "rust" | "copper" | "brick" | "terracotta" | "clay" | "autumn" => (0.60, 0.14, 45.0),
        "orange" | "tangerine" | "amber" | "pumpkin" | "sunset" | "sunrise" => (0.73, 0.16, 58.0),
        "yellow" | "lemon" | "gold" | "golden" | "honey" | "mustard" | "sun" => (0.84, 0.15, 88.0),
        "sand" | "desert" | "beige" | "cream" | "linen" | "straw" | "ivory" => (0.88, 0.05, 82.0),
        "oak" | "wood" | "wooden" | "brown" | "walnut" | "coffee" | "chocolate" | "bear" => {
            (0.52, 0.07, 62.0)
        }
        "lime" | "spring" | "lemongrass" => (0.82, 0.17, 122.0),
        "sage" | "olive" | "eucalyptus" | "moss" => (0.70, 0.06, 138.0),
        "green" | "emerald" | "grass" | "leaf" | "meadow" | "garden" => (0.64, 0.13, 148.0),
        "forest" | "pine" | "jungle" | "fern" => (0.45, 0.09, 155.0),
        "mint" | "jade" | "turquoise" | "teal" | "lagoon" => (0.74, 0.09, 185.0),
        "sky" | "ice" | "frost" | "glacier" | "winter" => (0.84, 0.06, 228.0),
        "ocean" | "sea" | "water" | "river" | "lake" | "wave" => (0.58, 0.11, 230.0),
        "blue" | "azure" | "denim" => (0.60, 0.15, 252.0),
        "cobalt" | "navy" | "ultramarine" | "indigo" | "sapphire" => (0.45, 0.18, 264.0),
        "night" | "midnight" | "moon" | "galaxy" | "space" => (0.34, 0.09, 272.0),
        "violet" | "purple" | "lavender" | "lilac" | "plum" | "grape" => (0.62, 0.14, 303.0),
        "magenta" | "fuchsia" | "orchid" => (0.62, 0.19, 338.0),
        "pink" | "rose" | "blush" | "cherry" | "peony" | "flamingo" => (0.76, 0.12, 5.0),
        "peach" | "coral" | "salmon" | "apricot" => (0.78, 0.11, 38.0),
        "white" | "snow" | "snowy" | "marble" | "porcelain" | "cloud" | "paper" => (0.96, 0.012, 240.0),
        "grey" | "gray" | "silver" | "stone" | "concrete" | "fog" | "mist" => (0.72, 0.015, 240.0),
        "black" | "charcoal" | "ink" | "onyx" | "raven" => (0.27, 0.015, 260.0),
        _ => return None,
    };
    Some(Tone::new(l, c, h))
}

fn light(word: &str) -> Option<Light> {
    match word {
        "night" | "midnight" | "dark" | "moon" | "galaxy" | "space" | "star" | "neon" => Some(Light::Night),
        "sunset" | "dusk" | "evening" | "twilight" | "dawn" | "sunrise" => Some(Light::Dusk),
        "day" | "daylight" | "morning" | "noon" | "snow" | "snowy" | "bright" => Some(Light::Day),
        _ => None,
    }
}

fn family(word: &str) -> Option<Family> {
    match word {
        "mountain" | "hill" | "landscape" | "valley" | "forest" | "desert" | "sunset" | "sunrise"
        | "snow" | "snowy" | "meadow" | "fjord" | "horizon" | "village" => Some(Family::Hills),
        "mug" | "cup" | "vase" | "bottle" | "table" | "product" | "bowl" | "still" | "studio" | "chair"
        | "lamp" | "teapot" | "fruit" | "jar" => Some(Family::StillLife),
        "ocean" | "sea" | "wave" | "river" | "silk" | "wind" | "smoke" | "dance" => Some(Family::Ribbons),
        "cave" | "canyon" | "paper" | "dream" | "tunnel" | "galaxy" | "planet" => Some(Family::PaperCut),
        "pattern" | "stone" | "terrazzo" | "confetti" | "tile" | "pebble" => Some(Family::Terrazzo),
        "poster" | "logo" | "icon" | "geometric" | "city" | "building" | "abstract" | "rainbow" => {
            Some(Family::Arcs)
        }
        _ => None,
    }
}

fn thing(word: &str) -> Option<Thing> {
    match word {
        "mug" | "cup" | "teapot" | "coffee" | "tea" => Some(Thing::Mug),
        "vase" | "jar" | "pot" | "flower" | "bouquet" => Some(Thing::Vase),
        "bottle" | "perfume" | "wine" => Some(Thing::Bottle),
        "ball" | "fruit" | "apple" | "sphere" | "planet" => Some(Thing::Ball),
        "arch" | "chair" | "door" => Some(Thing::Arch),
        _ => None,
    }
}
