//! The accounts of players: names, channels, and balances of virtual currencies.

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::ids;
use super::stream::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountId(usize);

pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) channel: String,
    pub(crate) stream: Stream,
    /// The balance of each currency. One without an entry is unlimited.
    pub(crate) balances: HashMap<String, Decimal>,
}

impl Account {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subject: ids::subject_of(name),
            channel: ids::random_channel(),
            stream: Stream::new(),
            balances: HashMap::new(),
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

#[derive(Default)]
pub(crate) struct Accounts(Vec<Account>);

impl Accounts {
    pub(crate) fn get(&self, id: AccountId) -> Option<&Account> {
        self.0.get(id.0)
    }

    pub(crate) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.0.get_mut(id.0)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.0.iter_mut()
    }

    pub(crate) fn find(&self, is_it: impl FnMut(&Account) -> bool) -> Option<AccountId> {
        self.0.iter().position(is_it).map(AccountId)
    }

    pub(crate) fn find_or_create(&mut self, name: &str) -> AccountId {
        self.find(|account| account.name == name)
            .unwrap_or_else(|| {
                self.0.push(Account::new(name));
                AccountId(self.0.len() - 1)
            })
    }
}
