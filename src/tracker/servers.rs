//! The connections to the servers, which all players share.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::OnceCell;
use url::Url;

use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::purchase::Purchase;
use crate::model::user::XsollaUser;
use crate::platform::http::Store;
use crate::platform::tls::load_tls;
use crate::wire::order::OrderReport;
use crate::wire::store::CreatedOrder;

/// What it takes to reach the servers, made when it is first needed.
#[derive(Default)]
pub(super) struct Servers {
    tls: OnceCell<Arc<ClientConfig>>,
    encrypted: OnceCell<Store>,
    loopback: OnceCell<Store>,
}

impl Servers {
    /// The TLS configuration, or why there is none. A failure is tried again the next time.
    pub(super) async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let loaded = || async { load_tls().await.map(Arc::new) };
        self.tls.get_or_try_init(loaded).await.cloned()
    }

    async fn store(&self, url: &Url) -> Result<&Store, RequestError> {
        if url.scheme() == "http" {
            let made = || async { Store::loopback() };
            return self.loopback.get_or_try_init(made).await;
        }
        let made = || async {
            let tls = self.tls().await.map_err(RequestError::Network)?;
            Store::encrypted((*tls).clone())
        };
        self.encrypted.get_or_try_init(made).await
    }

    pub(super) async fn get_order(
        &self,
        config: &XsollaConfig,
        user: &XsollaUser,
        order_id: OrderId,
    ) -> Result<OrderReport, RequestError> {
        let store = store_url(config)?;
        self.store(&store)
            .await?
            .get_order(
                &store,
                config.project_id,
                user,
                order_id,
                config.request_timeout,
            )
            .await
    }

    pub(super) async fn catalog(
        &self,
        config: &XsollaConfig,
        user: Option<&XsollaUser>,
        request: &CatalogRequest,
    ) -> Result<Vec<CatalogItem>, RequestError> {
        let store = store_url(config)?;
        let (project_id, timeout) = (config.project_id, config.request_timeout);
        self.store(&store)
            .await?
            .catalog(&store, project_id, user, request, timeout)
            .await
    }

    pub(super) async fn create_order(
        &self,
        config: &XsollaConfig,
        user: &XsollaUser,
        purchase: &Purchase,
    ) -> Result<CreatedOrder, RequestError> {
        let store = store_url(config)?;
        let (project_id, timeout) = (config.project_id, config.request_timeout);
        self.store(&store)
            .await?
            .create_order(&store, project_id, user, purchase, timeout)
            .await
    }
}

fn store_url(config: &XsollaConfig) -> Result<Url, RequestError> {
    let endpoints = config.endpoints();
    let endpoints = endpoints.map_err(|error| RequestError::Network(error.to_string()))?;
    Ok(endpoints.store)
}
