//! The thread that writes: a disk may take its time, the game and the sockets may not.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tokio::sync::mpsc;

use super::file::{File, path};
use super::record::{Entry, Record, Restored};
use super::{Ledger, LedgerError};
use crate::order::OrderId;
use crate::user::UserId;

/// How often what could not be read or written is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// How often a ledger is tried again that a game which is just ending may still hold.
const QUICK_RETRY: Duration = Duration::from_millis(50);
/// For how long, before tracking begins without what is in it.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Job {
    /// What follows is about this project.
    Use {
        ledger: Ledger,
        project_id: u64,
        /// How long acknowledged orders are kept.
        keep: Duration,
    },
    Load {
        user: UserId,
    },
    Write {
        user: UserId,
        order_id: OrderId,
        entry: Entry,
    },
    Erase {
        user: UserId,
        order_id: OrderId,
    },
    /// Answers once all of the above has been dealt with.
    Flush(Sender<()>),
}

#[derive(Debug)]
pub(crate) enum Report {
    /// What the ledger has of a user; once more if it could not be read the first time.
    Loaded { user: UserId, orders: Vec<Restored> },
    /// The entry is on the disk; or cannot be put there, which [`Report::Trouble`] has told before.
    Written { order_id: OrderId, entry: Entry },
    /// What is wrong with the ledger, or that nothing is any more.
    Trouble(Option<LedgerError>),
}

/// The thread's address. It ends when this is dropped, after what it was given to do.
pub(crate) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    pub(crate) fn start(reports: mpsc::UnboundedSender<Report>) -> io::Result<Self> {
        let (jobs, inbox) = unbounded();
        thread::Builder::new()
            .name("xsolla-ledger".to_owned())
            .spawn(move || Desk::new(reports).work(&inbox))?;
        Ok(Self { jobs })
    }

    pub(crate) fn give(&self, job: Job) {
        // The thread outlives its address.
        let _ = self.jobs.send(job);
    }
}

struct Desk {
    reports: mpsc::UnboundedSender<Report>,
    ledger: Ledger,
    project_id: u64,
    keep: Duration,
    files: BTreeMap<PathBuf, File>,
    /// What was last reported.
    trouble: Option<LedgerError>,
    /// To be reported when everything is committed.
    written: Vec<(OrderId, Entry)>,
    flushes: Vec<Sender<()>>,
    /// Users whose ledger could not be read yet.
    unread: Vec<Unread>,
}

struct Unread {
    user: UserId,
    since: Instant,
    /// Whether tracking has begun without it.
    is_given_up: bool,
}

impl Desk {
    fn new(reports: mpsc::UnboundedSender<Report>) -> Self {
        Self {
            reports,
            ledger: Ledger::Disabled,
            project_id: 0,
            keep: Duration::ZERO,
            files: BTreeMap::new(),
            trouble: None,
            written: Vec::new(),
            flushes: Vec::new(),
            unread: Vec::new(),
        }
    }

    fn work(mut self, inbox: &Receiver<Job>) {
        loop {
            let job = match self.retry_in() {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                // One transaction for all that has come meanwhile.
                Ok(job) => {
                    self.take(job);
                    while let Ok(job) = inbox.try_recv() {
                        self.take(job);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    for unread in std::mem::take(&mut self.unread) {
                        self.load(unread);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.commit();
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Use {
                ledger,
                project_id,
                keep,
            } => {
                // What was written before belongs to the files of before.
                self.commit();
                self.files.retain(|_, file| file.has_changes());
                self.unread.clear();
                (self.ledger, self.project_id, self.keep) = (ledger, project_id, keep);
            }
            Job::Load { user } => self.load(Unread {
                user,
                since: Instant::now(),
                is_given_up: false,
            }),
            Job::Write {
                user,
                order_id,
                entry,
            } => {
                let key = (self.project_id, order_id.0);
                if let Some(file) = self.file(&user) {
                    file.set(key, &Record::new(&user, entry, SystemTime::now()));
                }
                self.written.push((order_id, entry));
            }
            Job::Erase { user, order_id } => {
                let key = (self.project_id, order_id.0);
                if let Some(file) = self.file(&user) {
                    file.erase(key);
                }
            }
            Job::Flush(done) => self.flushes.push(done),
        }
    }

    fn retry_in(&self) -> Option<Duration> {
        if self.unread.iter().any(|unread| !unread.is_given_up) {
            return Some(QUICK_RETRY);
        }
        let has_changes = self.files.values().any(File::has_changes);
        (has_changes || !self.unread.is_empty()).then_some(RETRY)
    }

    fn load(&mut self, mut unread: Unread) {
        self.commit();
        let user = unread.user.clone();
        let (project_id, keep) = (self.project_id, self.keep);
        match self.file(&user).map(|f| f.load(project_id, &user, keep)) {
            None => self.report(Report::Loaded {
                user,
                orders: Vec::new(),
            }),
            Some(Ok(orders)) => {
                self.settle();
                self.report(Report::Loaded { user, orders });
            }
            Some(Err(error)) => {
                if !unread.is_given_up && unread.since.elapsed() >= PATIENCE {
                    unread.is_given_up = true;
                    self.report_trouble(Some(error));
                    self.report(Report::Loaded {
                        user,
                        orders: Vec::new(),
                    });
                }
                self.unread.push(unread);
            }
        }
    }

    /// Writes what there is to write, and says so.
    fn commit(&mut self) {
        let mut trouble = None;
        for file in self.files.values_mut() {
            if let Err(error) = file.commit() {
                trouble = Some(error);
            }
        }
        match trouble {
            Some(_) => self.report_trouble(trouble),
            None if !self.written.is_empty() => self.settle(),
            None => {}
        }
        // Whether or not the disk took it: tracking does not wait for a disk that will not.
        for (order_id, entry) in std::mem::take(&mut self.written) {
            self.report(Report::Written { order_id, entry });
        }
        for done in self.flushes.drain(..) {
            let _ = done.send(());
        }
    }

    /// All went well, now; that a file was damaged stays worth knowing.
    fn settle(&mut self) {
        let damage = self.files.values().find_map(File::damage).cloned();
        self.report_trouble(damage);
    }

    fn file(&mut self, user: &UserId) -> Option<&mut File> {
        match path(&self.ledger, self.project_id, user) {
            Ok(path) => {
                let path = path?;
                let new = || File::new(path.clone());
                Some(self.files.entry(path.clone()).or_insert_with(new))
            }
            Err(error) => {
                self.report_trouble(Some(error));
                None
            }
        }
    }

    fn report_trouble(&mut self, trouble: Option<LedgerError>) {
        if trouble != self.trouble {
            if let Some(error) = &trouble {
                log::warn!("{error}; tracking goes on without it");
            }
            self.trouble.clone_from(&trouble);
            self.report(Report::Trouble(trouble));
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens after the game's end; what is to be written is written all the same.
        let _ = self.reports.send(report);
    }
}
