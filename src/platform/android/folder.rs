//! Folders of the app.

use std::path::PathBuf;

use bevy::android::ANDROID_APP;

/// The folder that only this app can read, and that is removed with the app. There is none before `android_main` has
/// begun.
pub(crate) fn data_dir() -> Option<PathBuf> {
    ANDROID_APP.get()?.internal_data_path()
}
