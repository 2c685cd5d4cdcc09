//! The accounts of players: names, channels, and balances of virtual currencies.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::belongings::Belongings;
use super::events::Events;
use super::ids;
use super::stream::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountId(usize);

pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) channel: String,
    pub(crate) stream: Stream,
    pub(crate) events: Events,
    /// The balance of each currency. One without an entry is unlimited.
    pub(crate) balances: HashMap<String, Decimal>,
    pub(crate) belongings: Belongings,
}

impl Account {
    fn new(name: &str, namespace: &str) -> Self {
        Self {
            name: name.to_owned(),
            subject: ids::subject_of(name),
            channel: format!("{namespace}{}", ids::random_channel()),
            stream: Stream::new(),
            events: Events::default(),
            balances: HashMap::new(),
            belongings: Belongings::default(),
        }
    }

    /// Takes the price from a balance. Returns whether there was enough.
    pub(crate) fn spend(&mut self, currency: &str, price: Decimal) -> bool {
        match self.balances.get_mut(currency) {
            Some(balance) if *balance < price => false,
            Some(balance) => {
                *balance -= price;
                true
            }
            None => true,
        }
    }
}

pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// The channels of all players are in one.
    namespace: String,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            namespace: ids::random_namespace(),
        }
    }
}

impl Accounts {
    pub(crate) fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.0)
    }

    pub(crate) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id.0)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.accounts.iter_mut()
    }

    pub(crate) fn find(&self, is_it: impl FnMut(&Account) -> bool) -> Option<AccountId> {
        self.accounts.iter().position(is_it).map(AccountId)
    }

    pub(crate) fn find_or_create(&mut self, name: &str) -> AccountId {
        self.find(|account| account.name == name)
            .unwrap_or_else(|| {
                self.accounts.push(Account::new(name, &self.namespace));
                AccountId(self.accounts.len() - 1)
            })
    }
}
