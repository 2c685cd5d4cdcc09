//! A channel's publications, as a Centrifuge server keeps them: numbered by offset within an epoch.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids;

/// The most publications that one `history` returns, Centrifugo's default.
const MAX_PAGE: usize = 300;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Publication {
    data: Value,
    offset: u64,
}

/// A place in a stream: behind the publication with this offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    /// It is empty where a client does not know it.
    pub(crate) epoch: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryError {
    BadRequest,
    UnrecoverablePosition,
}

pub(crate) struct Stream {
    epoch: String,
    top: u64,
    kept: VecDeque<Publication>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            epoch: ids::random_epoch(),
            top: 0,
            kept: VecDeque::new(),
        }
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The position behind the newest publication.
    pub(crate) fn position(&self) -> Position {
        Position {
            offset: self.top,
            epoch: self.epoch.clone(),
        }
    }

    pub(crate) fn publish(&mut self, data: Value, size: usize) -> Publication {
        self.top += 1;
        let publication = Publication {
            data,
            offset: self.top,
        };
        self.kept.push_back(publication.clone());
        self.trim(size);
        publication
    }

    /// Keeps the newest `size` publications. The position stays.
    pub(crate) fn trim(&mut self, size: usize) {
        while self.kept.len() > size {
            self.kept.pop_front();
        }
    }

    /// Forgets everything, as a server does that loses its memory: the epoch is another, and offsets start
    /// anew.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Returns up to `limit` publications after `since`, or before it in reverse. A negative limit stands for no
    /// limit.
    pub(crate) fn history(
        &self,
        limit: i32,
        since: Option<&Position>,
        reverse: bool,
    ) -> Result<Vec<Publication>, HistoryError> {
        if reverse && since.is_some_and(|since| since.offset == 0) {
            return Err(HistoryError::BadRequest);
        }
        if since.is_some_and(|since| !self.is_of_this_epoch(since)) {
            return Err(HistoryError::UnrecoverablePosition);
        }
        let limit = usize::try_from(limit).map_or(MAX_PAGE, |limit| limit.min(MAX_PAGE));
        let offset = since.map(|since| since.offset);
        let page = if reverse {
            // Centrifuge returns nothing where the first publication of the page is not kept.
            let first = offset.map_or(self.top, |offset| offset.saturating_sub(1));
            self.kept
                .iter()
                .rev()
                .skip_while(|publication| publication.offset > first)
                .take_while(|_| first <= self.top)
                .take(limit)
                .cloned()
                .collect()
        } else {
            let after = |publication: &&Publication| offset.is_none_or(|o| publication.offset > o);
            self.kept
                .iter()
                .filter(after)
                .take(limit)
                .cloned()
                .collect()
        };
        Ok(page)
    }

    /// The publications that a client at this position has missed; `None` where one of them is not kept any more.
    pub(crate) fn recover(&self, position: &Position) -> Option<Vec<Publication>> {
        if !self.is_of_this_epoch(position) || position.offset > self.top {
            return None;
        }
        let missed: Vec<_> = self
            .kept
            .iter()
            .filter(|publication| publication.offset > position.offset)
            .cloned()
            .collect();
        let expected = usize::try_from(self.top - position.offset).ok()?;
        (missed.len() == expected).then_some(missed)
    }

    /// A position without an epoch belongs to any.
    fn is_of_this_epoch(&self, position: &Position) -> bool {
        position.epoch.is_empty() || position.epoch == self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(publications: u64, size: usize) -> Stream {
        let mut stream = Stream::new();
        for number in 1..=publications {
            stream.publish(number.into(), size);
        }
        stream
    }

    fn offsets(page: &[Publication]) -> Vec<u64> {
        page.iter().map(|publication| publication.offset).collect()
    }

    fn at(offset: u64) -> Position {
        Position {
            offset,
            epoch: String::new(),
        }
    }

    #[test]
    fn history_is_read_forwards_and_backwards_from_a_position() {
        let stream = stream(5, 3);
        let page = |limit, since: Option<u64>, reverse| {
            let page = stream.history(limit, since.map(at).as_ref(), reverse);
            offsets(&page.unwrap())
        };
        assert!(page(0, None, false).is_empty());
        assert_eq!(page(-1, None, false), [3, 4, 5]);
        assert_eq!(page(-1, Some(0), false), [3, 4, 5]);
        assert_eq!(page(1, Some(3), false), [4]);
        assert_eq!(page(2, None, true), [5, 4]);
        assert_eq!(page(-1, Some(5), true), [4, 3]);
        assert!(page(-1, Some(9), false).is_empty());
        assert_eq!(page(-1, Some(6), true), [5, 4, 3]);
        assert!(page(-1, Some(7), true).is_empty(), "there was no offset 6");
        assert!(page(-1, Some(3), true).is_empty(), "offset 2 is not kept");
        let from_zero = stream.history(-1, Some(&at(0)), true);
        assert_eq!(from_zero, Err(HistoryError::BadRequest));
    }

    #[test]
    fn a_page_of_history_has_an_upper_limit() {
        let stream = stream(400, 1000);
        for limit in [-1, i32::MIN, 350, i32::MAX] {
            let page = stream.history(limit, None, false).unwrap();
            assert_eq!(page.len(), MAX_PAGE);
        }
    }

    #[test]
    fn only_an_unbroken_stream_is_recovered() {
        let stream = stream(5, 3);
        let recover = |epoch: &str, offset| {
            let position = Position {
                offset,
                epoch: epoch.to_owned(),
            };
            stream.recover(&position).map(|missed| offsets(&missed))
        };
        let epoch = stream.epoch();
        assert_eq!(recover(epoch, 5), Some(vec![]));
        assert_eq!(recover(epoch, 2), Some(vec![3, 4, 5]));
        assert_eq!(recover(epoch, 1), None, "offset 2 is not kept any more");
        assert_eq!(recover(epoch, 6), None, "there was no offset 6");
        assert_eq!(recover("?", 5), None);
        assert_eq!(recover("", 3), Some(vec![4, 5]), "of any epoch");
    }
}
