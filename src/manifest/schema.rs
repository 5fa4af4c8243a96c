//! The JSON Schema of a manifest, made from the same structs that read it.

use serde_json::Value;

use super::file::File;

/// The JSON Schema (draft 2020-12) that editors check manifests with.
#[must_use]
pub fn json_schema() -> Value {
    schemars::schema_for!(File).to_value()
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_carry_their_descriptions_and_unknown_ones_are_refused() {
        let schema = super::json_schema();
        assert_eq!(schema["title"], "imgbatch manifest");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["vars"]["description"], "Variables for all templates.");
        let job = &schema["$defs"]["Job"];
        assert_eq!(job["additionalProperties"], false);
        assert!(job["properties"]["place"].is_null());
        for key in
            ["id", "prompt", "prompts", "rows", "matrix", "zip", "skip", "sample", "images", "mask", "meta"]
        {
            assert!(job["properties"][key]["description"].is_string(), "{key}");
        }
    }
}
