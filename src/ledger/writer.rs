//! The thread that writes: a disk may take its time, the game and the sockets may not.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tokio::sync::mpsc;

use super::record::Record;
use super::redb::{File, path};
use crate::model::ledger::{Entry, Ledger, LedgerError, Restored};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// How often what could not be read or written is tried again.
const RETRY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
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
    /// Nothing of this user's is open any more.
    Close {
        user: UserId,
    },
    /// Answers once all of the above has been dealt with.
    Flush(Sender<()>),
}

#[derive(Debug)]
pub(crate) enum Report {
    /// What the ledger has of a user; once more if it could not be read the first time.
    Loaded { user: UserId, orders: Vec<Restored> },
    /// The entry is on the disk. For an open order also if it cannot be put there, which
    /// [`Report::Trouble`] has told before: tracking does not wait for a disk that will not.
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
    files: BTreeMap<PathBuf, File>,
    /// What was last reported.
    trouble: Option<LedgerError>,
    /// To be reported once their file has them.
    written: Vec<(Option<PathBuf>, OrderId, Entry)>,
    flushes: Vec<Sender<()>>,
    /// Users whose ledger could not be read yet.
    unread: BTreeMap<UserId, Unread>,
    next_try: Instant,
    /// What keeps any file from being named.
    homeless: Option<LedgerError>,
}

struct Unread {
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
            files: BTreeMap::new(),
            trouble: None,
            written: Vec::new(),
            flushes: Vec::new(),
            unread: BTreeMap::new(),
            next_try: Instant::now(),
            homeless: None,
        }
    }

    fn work(mut self, inbox: &Receiver<Job>) {
        loop {
            let job = if self.has_to_try_again() {
                // A fixed moment: jobs that keep coming must not put it off.
                inbox.recv_deadline(self.next_try)
            } else {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match job {
                // One transaction for all that has come meanwhile.
                Ok(job) => {
                    self.take(job);
                    while let Ok(job) = inbox.try_recv() {
                        self.take(job);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.commit(),
            }
            if Instant::now() >= self.next_try {
                for (user, unread) in std::mem::take(&mut self.unread) {
                    self.load(user, unread);
                }
                self.next_try = Instant::now() + self.retry();
            }
            self.commit();
            self.tell_trouble();
        }
    }

    fn has_to_try_again(&self) -> bool {
        !self.unread.is_empty() || self.files.values().any(File::has_changes)
    }

    fn retry(&self) -> Duration {
        match self.unread.values().any(|unread| !unread.is_given_up) {
            true => QUICK_RETRY,
            false => RETRY,
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Use { ledger, project_id } => {
                if (&ledger, project_id) != (&self.ledger, self.project_id) {
                    // What was written before belongs to the files of before.
                    self.commit();
                    self.files.retain(|_, file| file.has_changes());
                    self.unread.clear();
                    (self.ledger, self.project_id) = (ledger, project_id);
                }
            }
            Job::Load { user } => {
                let unread = Unread {
                    since: Instant::now(),
                    is_given_up: false,
                };
                self.load(user, unread);
            }
            Job::Close { user } => {
                self.commit();
                if let Ok(Some(path)) = path(&self.ledger, self.project_id, &user)
                    && self.ledger == Ledger::UserData
                    && self
                        .files
                        .get(&path)
                        .is_some_and(|file| !file.has_changes())
                {
                    self.files.remove(&path);
                }
                self.unread.remove(&user);
            }
            Job::Write {
                user,
                order_id,
                entry,
            } => {
                let key = (self.project_id, user, order_id);
                let mut place = None;
                if let Some((path, file)) = self.file(&key.1) {
                    file.set(key, &Record::new(entry, SystemTime::now()));
                    place = Some(path);
                }
                // Without a place nothing but the beginning is to be waited for.
                if entry == Entry::Open || self.homeless.is_none() {
                    self.written.push((place, order_id, entry));
                }
            }
            Job::Erase { user, order_id } => {
                let key = (self.project_id, user, order_id);
                if let Some((_, file)) = self.file(&key.1) {
                    file.erase(key);
                }
            }
            Job::Flush(done) => self.flushes.push(done),
        }
    }

    fn load(&mut self, user: UserId, mut unread: Unread) {
        // An order that was forgotten meanwhile is not to come back.
        self.commit();
        let project_id = self.project_id;
        let orders = match self.file(&user) {
            None => Some(Vec::new()),
            Some((_, file)) => match file.load(project_id, &user) {
                Ok(orders) => Some(orders),
                Err(_) if !unread.is_given_up && unread.since.elapsed() >= PATIENCE => {
                    unread.is_given_up = true;
                    let user = user.clone();
                    let orders = Vec::new();
                    self.tell_trouble();
                    self.report(Report::Loaded { user, orders });
                    None
                }
                Err(_) => None,
            },
        };
        match orders {
            Some(orders) => self.report(Report::Loaded { user, orders }),
            None => {
                self.unread.insert(user, unread);
                self.next_try = self.next_try.min(Instant::now() + self.retry());
            }
        }
    }

    /// Writes what there is to write, and says so.
    fn commit(&mut self) {
        for file in self.files.values_mut() {
            // What goes wrong the file remembers.
            let _ = file.commit();
        }
        if self.files.values().any(File::has_changes) {
            self.tell_trouble();
        }
        let files = &self.files;
        let has_it = |place: &Option<PathBuf>| {
            let file = place.as_ref().and_then(|path| files.get(path));
            file.is_none_or(|file| !file.has_changes())
        };
        let (settled, open) = std::mem::take(&mut self.written)
            .into_iter()
            .partition(|(place, _, entry)| *entry == Entry::Open || has_it(place));
        self.written = open;
        let settled: Vec<(Option<PathBuf>, OrderId, Entry)> = settled;
        for (_, order_id, entry) in settled {
            self.report(Report::Written { order_id, entry });
        }
        for done in self.flushes.drain(..) {
            let _ = done.send(());
        }
    }

    /// Says what is wrong, or that nothing is any more. A read that is being tried again in a moment is
    /// not wrong yet.
    fn tell_trouble(&mut self) {
        let is_waiting = self.unread.values().any(|unread| !unread.is_given_up);
        let trouble = self.files.values().find_map(File::trouble);
        let trouble = trouble.or(self.homeless.as_ref()).cloned();
        if is_waiting && self.files.values().all(|file| !file.has_changes()) {
            return;
        }
        self.report_trouble(trouble);
    }

    fn file(&mut self, user: &UserId) -> Option<(PathBuf, &mut File)> {
        match path(&self.ledger, self.project_id, user) {
            Ok(path) => {
                self.homeless = None;
                let path = path?;
                let new = || File::new(path.clone());
                Some((
                    path.clone(),
                    self.files.entry(path.clone()).or_insert_with(new),
                ))
            }
            Err(error) => {
                self.homeless = Some(error);
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
