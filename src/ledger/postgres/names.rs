//! The ids of players, as they are stored. A text in PostgreSQL has no zero bytes, and an id comes from outside.

pub(super) fn stored_name(user: &str) -> String {
    user.replace('\\', "\\\\").replace('\0', "\\0")
}

pub(super) fn name_of_stored(name: &str) -> String {
    let mut user = String::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        user.push(match letter {
            '\\' => match letters.next() {
                Some('0') => '\0',
                _ => '\\',
            },
            letter => letter,
        });
    }
    user
}
