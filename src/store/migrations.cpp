#include "migrations.hpp"
#include "statement.hpp"

#include <fmt/format.h>
#include <iterator>

namespace repartee::store {
namespace {

// Step i makes schema i + 1. Files out there have run these: append, never edit.
constexpr const char* steps[] = {
    // 1: characters. Lists are JSON texts; times are UTC, ISO 8601.
    R"sql(
    CREATE TABLE ai_characters (
        id                     TEXT PRIMARY KEY NOT NULL,
        name                   TEXT NOT NULL,
        name_en                TEXT NOT NULL DEFAULT '',
        gender                 TEXT NOT NULL DEFAULT '',
        age_range              TEXT NOT NULL DEFAULT '',
        specialty              TEXT NOT NULL DEFAULT '',
        specialty_detail       TEXT NOT NULL DEFAULT '',
        experience_years       INTEGER NOT NULL DEFAULT 0,
        personality            TEXT NOT NULL DEFAULT '',
        conversation_style     TEXT NOT NULL DEFAULT '',
        openai_voice           TEXT NOT NULL,
        system_prompt          TEXT NOT NULL DEFAULT '',
        profile_image_url      TEXT NOT NULL DEFAULT '',
        lottie_animation_url   TEXT NOT NULL DEFAULT '',
        introduction_audio_url TEXT NOT NULL DEFAULT '',
        introduction_text      TEXT NOT NULL DEFAULT '',
        language               TEXT NOT NULL DEFAULT 'ko',
        embedded_pitch         REAL NOT NULL DEFAULT 1.0,
        embedded_speed         REAL NOT NULL DEFAULT 1.0,
        description            TEXT NOT NULL DEFAULT '',
        species                TEXT NOT NULL DEFAULT '',
        age                    TEXT NOT NULL DEFAULT '',
        height                 TEXT NOT NULL DEFAULT '',
        job                    TEXT NOT NULL DEFAULT '',
        worldview              TEXT NOT NULL DEFAULT '',
        appearance             TEXT NOT NULL DEFAULT '',
        speech_style           TEXT NOT NULL DEFAULT '',
        thoughts               TEXT NOT NULL DEFAULT '',
        features               TEXT NOT NULL DEFAULT '',
        habits                 TEXT NOT NULL DEFAULT '',
        guidelines             TEXT NOT NULL DEFAULT '',
        likes                  TEXT NOT NULL DEFAULT '[]',
        dislikes               TEXT NOT NULL DEFAULT '[]',
        tags                   TEXT NOT NULL DEFAULT '[]',
        voice_id               TEXT NOT NULL DEFAULT '',
        category               TEXT NOT NULL DEFAULT '',
        sample_dialogue        TEXT NOT NULL DEFAULT '',
        image_url              TEXT NOT NULL DEFAULT '',
        source_work            TEXT NOT NULL DEFAULT '',
        is_preset              INTEGER NOT NULL DEFAULT 1,
        offline_lines          TEXT NOT NULL DEFAULT '[]',
        closing_line           TEXT NOT NULL DEFAULT '',
        created_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        updated_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ) STRICT;
    )sql",
    // 2: which of the configured providers a character prefers, and which model there.
    R"sql(
    ALTER TABLE ai_characters ADD COLUMN stt_provider TEXT NOT NULL DEFAULT '';
    ALTER TABLE ai_characters ADD COLUMN stt_model    TEXT NOT NULL DEFAULT '';
    ALTER TABLE ai_characters ADD COLUMN llm_provider TEXT NOT NULL DEFAULT '';
    ALTER TABLE ai_characters ADD COLUMN llm_model    TEXT NOT NULL DEFAULT '';
    ALTER TABLE ai_characters ADD COLUMN tts_provider TEXT NOT NULL DEFAULT '';
    ALTER TABLE ai_characters ADD COLUMN tts_model    TEXT NOT NULL DEFAULT '';
    )sql",
    // 3: memory of voice chats and interviews. Times are milliseconds since 1970; state is the owner's JSON text.
    R"sql(
    CREATE TABLE voice_sessions (
        id         TEXT PRIMARY KEY NOT NULL,
        kind       TEXT NOT NULL,
        state      TEXT NOT NULL DEFAULT '',
        created_ms INTEGER NOT NULL,
        used_ms    INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX voice_sessions_by_use ON voice_sessions (used_ms);
    CREATE TABLE voice_turns (
        session_id TEXT NOT NULL REFERENCES voice_sessions (id) ON DELETE CASCADE,
        number     INTEGER NOT NULL,
        role       TEXT NOT NULL,
        text       TEXT NOT NULL,
        label      TEXT NOT NULL DEFAULT '',
        unix_ms    INTEGER NOT NULL,
        PRIMARY KEY (session_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE voice_recordings (
        session_id TEXT NOT NULL REFERENCES voice_sessions (id) ON DELETE CASCADE,
        question   INTEGER NOT NULL,
        part       INTEGER NOT NULL,
        format     TEXT NOT NULL,
        bytes      BLOB NOT NULL,
        written_ms INTEGER NOT NULL,
        PRIMARY KEY (session_id, question, part)
    ) STRICT;
    CREATE INDEX voice_recordings_by_age ON voice_recordings (written_ms);
    )sql",
    // 4: transcripts of conversations. `heard` is what of `text` the loudspeaker played; ended_ms 0: it still runs.
    R"sql(
    CREATE TABLE conversations (
        id           TEXT PRIMARY KEY NOT NULL,
        user         TEXT NOT NULL DEFAULT '',
        character_id TEXT NOT NULL DEFAULT '',
        started_ms   INTEGER NOT NULL,
        ended_ms     INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX conversations_by_start ON conversations (started_ms);
    CREATE INDEX conversations_by_user ON conversations (user);
    CREATE TABLE lines (
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        number          INTEGER NOT NULL,
        item_id         TEXT NOT NULL,
        role            TEXT NOT NULL,
        text            TEXT NOT NULL,
        heard           TEXT NOT NULL,
        cut             INTEGER NOT NULL DEFAULT 0,
        heard_ms        INTEGER NOT NULL DEFAULT 0,
        audio_ms        INTEGER NOT NULL DEFAULT 0,
        unix_ms         INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, number)
    ) STRICT, WITHOUT ROWID;
    )sql",
};

Result<void> migrate_one(sqlite3* db)
{
    auto transaction = Transaction::begin(db);
    if (!transaction) return transaction.error();
    // Asked again under the write lock: another process may have migrated meanwhile.
    const auto version = ask_number(db, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version >= newest_schema()) return {};
    if (const auto done = execute(db, steps[*version]); !done) return done.error();
    const std::string mark = fmt::format("PRAGMA user_version = {}", *version + 1);
    if (const auto marked = execute(db, mark.c_str()); !marked) return marked.error();
    return transaction->commit();
}

}  // namespace

int newest_schema() { return static_cast<int>(std::size(steps)); }

Result<void> check_schema(sqlite3* db)
{
    const auto version = ask_number(db, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version < 0 || *version > newest_schema())
        return Error{Code::storage,
                     fmt::format("Database {} has schema {}, and this program knows schemas up to {}. Use a newer program, or another file.",
                                 file_of(db), *version, newest_schema())};
    if (*version > 0) return {};
    const auto tables = ask_number(db, "SELECT count(*) FROM sqlite_master");
    if (!tables) return tables.error();
    if (*tables > 0)
        return Error{Code::storage,
                     fmt::format("Database {} belongs to another program: tables without a schema number. Name another file.", file_of(db))};
    return {};
}

Result<void> migrate(sqlite3* db)
{
    for (;;) {
        if (const auto known = check_schema(db); !known) return known.error();
        const auto version = ask_number(db, "PRAGMA user_version");
        if (!version) return version.error();
        if (*version == newest_schema()) return {};
        if (const auto done = migrate_one(db); !done) return done.error();
    }
}

}  // namespace repartee::store
