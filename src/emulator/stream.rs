//! A channel's publications, as a Centrifuge server keeps them: numbered by offset within an epoch.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

use super::frames::{HistoryRequest, Position, ServerError};

/// How many publications a channel keeps unless told otherwise.
pub(super) const DEFAULT_SIZE: usize = 100;

/// The most publications that one `history` returns, Centrifugo's default.
const MAX_PAGE: usize = 300;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Publication {
    data: Value,
    offset: u64,
}

pub(super) struct Stream {
    epoch: String,
    top: u64,
    kept: VecDeque<Publication>,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self {
            epoch: new_epoch(),
            top: 0,
            kept: VecDeque::new(),
        }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The offset of the newest publication, zero before the first.
    pub(super) fn top(&self) -> u64 {
        self.top
    }

    pub(super) fn publish(&mut self, data: Value, size: usize) -> Publication {
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
    pub(super) fn trim(&mut self, size: usize) {
        while self.kept.len() > size {
            self.kept.pop_front();
        }
    }

    /// As if the server had lost its memory: a new epoch, offsets from the start.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    pub(super) fn history(
        &self,
        request: &HistoryRequest,
    ) -> Result<Vec<Publication>, ServerError> {
        let since = request.since.as_ref();
        if request.reverse && since.is_some_and(|since| since.offset == 0) {
            return Err(ServerError::BAD_REQUEST);
        }
        if since.is_some_and(|since| !since.epoch.is_empty() && since.epoch != self.epoch) {
            return Err(ServerError::UNRECOVERABLE_POSITION);
        }
        let limit = usize::try_from(request.limit).map_or(MAX_PAGE, |limit| limit.min(MAX_PAGE));
        let offset = since.map(|since| since.offset);
        let page: Vec<Publication> = if request.reverse {
            // As in Centrifuge: only from a publication that is kept, wherever else it ends.
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

    /// What a client at this position has missed; `None` where a part of it is not kept any more.
    /// A position without an epoch is one of any.
    pub(super) fn recover(&self, position: &Position) -> Option<Vec<Publication>> {
        let is_of_another = !position.epoch.is_empty() && position.epoch != self.epoch;
        if is_of_another || position.offset > self.top {
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
}

fn new_epoch() -> String {
    std::iter::repeat_with(fastrand::alphabetic)
        .take(4)
        .collect()
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

    fn request(limit: i32, since: Option<u64>, reverse: bool) -> HistoryRequest {
        HistoryRequest {
            limit,
            since: since.map(|offset| Position {
                offset,
                epoch: String::new(),
            }),
            reverse,
            ..Default::default()
        }
    }

    #[test]
    fn history_is_read_forwards_and_backwards_from_a_position() {
        let stream = stream(5, 3);
        let page = |limit, since, reverse| {
            let page = stream.history(&request(limit, since, reverse));
            offsets(&page.unwrap_or_default())
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
        let from_zero = stream.history(&request(-1, Some(0), true));
        assert_eq!(from_zero.err(), Some(ServerError::BAD_REQUEST));
    }

    #[test]
    fn a_page_of_history_has_an_upper_limit() {
        let stream = stream(400, 1000);
        for limit in [-1, i32::MIN, 350, i32::MAX] {
            let page = stream.history(&request(limit, None, false));
            assert_eq!(page.map(|page| page.len()).ok(), Some(MAX_PAGE));
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
