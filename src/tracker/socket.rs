//! One user's socket: opened, replaced and closed at the machine's word.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};

use super::servers::Servers;
use crate::centrifuge::session::{Event, Session, Settings};
use crate::model::config::XsollaConfig;
use crate::model::error::SocketError;
use crate::model::user::{UserId, XsollaUser};
use crate::platform::clock::Clock;
use crate::platform::websocket as transport;
use crate::wire::order::OrderNews;

/// What a user's socket has to say.
#[derive(Debug)]
pub(super) enum SocketNews {
    Publication {
        user: UserId,
        news: OrderNews,
    },
    CaughtUp {
        user: UserId,
        connection: u64,
        gapless: bool,
    },
    Ended {
        user: UserId,
        connection: u64,
        reason: SocketError,
    },
}

/// A connection to be opened.
pub(super) struct Open {
    pub(super) connection: u64,
    pub(super) user: XsollaUser,
    pub(super) config: Arc<XsollaConfig>,
}

/// Runs a connection at a time, each in place of the one before, until the sender is dropped.
pub(super) async fn follow(
    mut opens: mpsc::UnboundedReceiver<Open>,
    news: mpsc::Sender<SocketNews>,
    servers: Arc<Servers>,
    clock: Clock,
) {
    let Some(first) = opens.recv().await else {
        return;
    };
    let mut session = Session::new(Settings {
        step_timeout: first.config.connect_timeout,
        ping_grace: first.config.ping_grace,
    });
    let mut next = Some(first);
    while let Some(open) = next {
        let user = open.user.id().clone();
        let connection = open.connection;
        let read = |event| match event {
            Event::Publication(data) => match OrderNews::read(data.get()) {
                Some(news) => Some(SocketNews::Publication {
                    user: user.clone(),
                    news,
                }),
                None => {
                    log::debug!("a publication that is about no order");
                    None
                }
            },
            Event::CaughtUp { gapless } => Some(SocketNews::CaughtUp {
                user: user.clone(),
                connection,
                gapless,
            }),
        };
        let (stop, stopped) = oneshot::channel();
        let run = async {
            let endpoint = endpoint(&open, &servers).await?;
            transport::run(endpoint, &mut session, &clock, read, &news, stopped).await
        };
        tokio::pin!(run);
        let end = tokio::select! {
            end = &mut run => Some(end),
            replacement = opens.recv() => {
                drop(stop);
                // It says goodbye; how that goes concerns nobody.
                let _ = run.await;
                next = replacement;
                continue;
            }
        };
        if let Some(Err(reason)) = end {
            log::debug!("the order-status socket ended: {reason}");
            let ended = SocketNews::Ended {
                user: user.clone(),
                connection,
                reason,
            };
            if news.send(ended).await.is_err() {
                return;
            }
        }
        next = opens.recv().await;
    }
}

async fn endpoint(open: &Open, servers: &Servers) -> Result<transport::Endpoint, SocketError> {
    let endpoints = open
        .config
        .endpoints()
        .map_err(|error| SocketError::Connect(error.to_string()))?;
    let tls = match endpoints.socket.scheme() {
        "wss" => Some(servers.tls().await.map_err(SocketError::Tls)?),
        _ => None,
    };
    Ok(transport::Endpoint {
        url: endpoints.socket,
        tls,
        step_timeout: open.config.connect_timeout,
        data: connect_data(&open.user, open.config.project_id)?,
    })
}

/// The connect data that Xsolla documents: `{user_external_id, auth, project_id}`, of which today's
/// SDKs leave out the first.
fn connect_data(user: &XsollaUser, project_id: u64) -> Result<Box<RawValue>, SocketError> {
    #[derive(Serialize)]
    struct ConnectData<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        user_external_id: Option<&'a str>,
        auth: &'a str,
        project_id: u64,
    }
    to_raw_value(&ConnectData {
        user_external_id: user.external_id(),
        auth: user.token(),
        project_id,
    })
    .map_err(|error| SocketError::Protocol(error.to_string()))
}
