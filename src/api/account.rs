//! What the API says about the key: its balance and its list of tasks.

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::DATE;
use serde_json::Value;

use super::client::Client;
use super::config::endpoint;
use super::look::{LookError, success, transient};
use super::wire;
use crate::job::Credits;

/// The credits behind a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Left for this key.
    pub key_remaining: Option<Credits>,
    /// Used by this key; moves with every bill.
    pub key_used: Option<Credits>,
    /// The key has no limit of its own.
    pub unlimited: bool,
    /// Left for the account.
    pub user_remaining: Option<Credits>,
    /// Used by the account.
    pub user_used: Option<Credits>,
}

/// How the API answers a free question about the key.
#[derive(Debug)]
pub struct Health {
    /// The balance, or why there is none.
    pub balance: Result<Balance, LookError>,
    /// From the question to the end of the answer.
    pub took: Duration,
    /// The server's clock, where it tells.
    pub server_time: Option<SystemTime>,
}

/// Which tasks to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// For example `processing`, which includes pending.
    pub status: Option<String>,
    /// The provider's name of a model.
    pub model: Option<String>,
    /// From 1.
    pub page: u32,
    /// Up to 50.
    pub page_size: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self { status: None, model: None, page: 1, page_size: 50 }
    }
}

/// One page of the key's tasks, newest first. An empty one does not prove
/// that nothing was created.
#[derive(Clone, Debug, PartialEq)]
pub struct ListPage {
    /// The tasks; without prompts and links.
    pub rows: Vec<Row>,
    /// How many there are on all pages.
    pub total: Option<u64>,
}

/// A task in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The provider's id.
    pub id: String,
    /// The provider's word.
    pub status: String,
    /// The provider's name of the model.
    pub model: Option<String>,
    /// Seconds since 1970, where the API gave a number.
    pub created_at: Option<i64>,
    /// It has pictures.
    pub has_results: bool,
    /// It failed.
    pub has_error: bool,
    /// Its price.
    pub used: Option<Credits>,
}

impl Client {
    /// Reads the balance; free, and the way to check a key.
    pub async fn credits(&self) -> Result<Balance, LookError> {
        let answer = self.send(self.read.get(endpoint(&self.base_url, &["v1", "credits"]))).await?;
        balance(&success(&answer)?)
    }

    /// Reads the balance, and what else its answer says about the connection.
    pub async fn health(&self) -> Health {
        let begun = Instant::now();
        let sent = self.send(self.read.get(endpoint(&self.base_url, &["v1", "credits"]))).await;
        let took = begun.elapsed();
        match sent {
            Err(lost) => Health { balance: Err(lost.into()), took, server_time: None },
            Ok(answer) => {
                let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
                let server_time = date.and_then(|date| httpdate::parse_http_date(date).ok());
                Health { balance: success(&answer).and_then(|json| balance(&json)), took, server_time }
            }
        }
    }

    /// Reads one page of the key's image tasks.
    pub async fn list(&self, filter: &Filter) -> Result<ListPage, LookError> {
        let mut url = endpoint(&self.base_url, &["v1", "tasks"]);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("type", "image");
            query.append_pair("page", &filter.page.to_string());
            query.append_pair("page_size", &filter.page_size.to_string());
            for (name, value) in [("status", &filter.status), ("model", &filter.model)] {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        let answer = self.send(self.read.get(url)).await?;
        page(&success(&answer)?)
    }
}

fn balance(json: &Value) -> Result<Balance, LookError> {
    let data = json
        .get("data")
        .filter(|data| data.is_object())
        .ok_or_else(|| transient("the answer holds no balance"))?;
    let null = Value::Null;
    let (key, user) = (data.get("token").unwrap_or(&null), data.get("user").unwrap_or(&null));
    Ok(Balance {
        key_remaining: wire::credits(key, "remaining_credits"),
        key_used: wire::credits(key, "used_credits"),
        unlimited: flag(key, "unlimited_credits"),
        user_remaining: wire::credits(user, "remaining_credits"),
        user_used: wire::credits(user, "used_credits"),
    })
}

fn page(json: &Value) -> Result<ListPage, LookError> {
    let rows =
        json.get("data").and_then(Value::as_array).ok_or_else(|| transient("the answer holds no list"))?;
    Ok(ListPage {
        rows: rows.iter().filter_map(row).collect(),
        total: wire::integer(json, "total").and_then(|total| u64::try_from(total).ok()),
    })
}

fn row(json: &Value) -> Option<Row> {
    Some(Row {
        id: wire::plausible_id(json)?.to_owned(),
        status: wire::text(json, "status").unwrap_or_default(),
        model: wire::text(json, "model"),
        created_at: wire::integer(json, "created_at"),
        has_results: flag(json, "has_results"),
        has_error: flag(json, "has_error"),
        used: wire::credits(json, "credits_used"),
    })
}

fn flag(object: &Value, field: &str) -> bool {
    object.get(field).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_documented_balance_is_read() {
        let json = json!({"success": true, "data": {
            "token": {"remaining_credits": 12.5, "unlimited_credits": true, "used_credits": 3},
            "user": {"remaining_credits": 100, "used_credits": 0.25}}});
        let expected = Balance {
            key_remaining: Credits::from_f64(12.5),
            key_used: Credits::from_f64(3.0),
            unlimited: true,
            user_remaining: Credits::from_f64(100.0),
            user_used: Credits::from_f64(0.25),
        };
        assert_eq!(balance(&json), Ok(expected));
        assert_eq!(balance(&json!({"data": {}})), Ok(Balance::default()));
        assert!(balance(&json!({"success": false})).is_err());
    }

    #[test]
    fn a_page_drops_rows_without_an_id() {
        let json = json!({"data": [{"id": "t1", "status": "completed", "created_at": 1_757_156_493,
            "has_results": true, "credits_used": 2.5}, {"status": "pending"}, 7], "total": 3});
        let page = page(&json).unwrap();
        assert_eq!(page.total, Some(3));
        assert_eq!(page.rows.len(), 1);
        assert_eq!((page.rows[0].id.as_str(), page.rows[0].created_at), ("t1", Some(1_757_156_493)));
        assert_eq!(page.rows[0].used, Credits::from_f64(2.5));
    }
}
