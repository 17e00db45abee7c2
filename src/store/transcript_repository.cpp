#include "repartee/store/transcript_repository.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/log.hpp"
#include "statement.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace repartee::store {
namespace {

using conversation::Line;

constexpr std::int64_t ms_of_day = 24 * 60 * 60 * 1'000;
// What a line costs beside its texts, and a conversation beside its lines.
constexpr std::size_t entry_bytes = 256;

std::size_t bytes_of(const Line& line) { return entry_bytes + line.item_id.size() + line.role.size() + line.text.size() + line.heard.size(); }

/// What one conversation has told and the database does not have yet.
struct Told {
    struct Begun {
        std::string user, character_id;
        std::int64_t unix_ms = 0;
    };
    std::optional<Begun> begun;
    std::map<std::uint64_t, StoredLine> lines;
    std::optional<std::int64_t> ended_unix_ms;
    std::size_t bytes = 0;
};
using AllTold = std::map<std::string, Told>;

/// Runs a DELETE … RETURNING id.
template <class Value>
Result<std::vector<std::string>> delete_conversations(sqlite3* db, std::string_view sql, const Value& value)
{
    return rows_of(db, sql, [](const Statement& row) { return row.text(0); }, value);
}

Result<std::vector<std::string>> drop_surplus_conversations(sqlite3* db, std::int64_t sessions_max)
{
    return delete_conversations(db, "DELETE FROM conversations WHERE id IN (SELECT id FROM conversations ORDER BY ended_ms = 0, started_ms "
                                    "LIMIT max(0, (SELECT count(*) FROM conversations) - ?)) RETURNING id",
                                sessions_max);
}

Result<void> write_lines(sqlite3* db, Statement& insert, const std::string& id, const Told& told, std::int64_t lines_max)
{
    for (const auto& [number, stored] : told.lines) {
        const Line& line = stored.line;
        const auto bound = insert.bind_all(id, static_cast<std::int64_t>(number), line.item_id, line.role, line.text, line.heard,
                                           std::int64_t{line.cut}, line.heard_ms, line.audio_ms, stored.unix_ms, id);
        if (!bound) return bound.error();
        if (const auto run = insert.run(); !run) return run.error();
    }
    const auto dropped = change(db, "DELETE FROM lines WHERE conversation_id = ? AND number <= "
                                    "(SELECT max(number) FROM lines WHERE conversation_id = ?) - ?",
                                id, id, lines_max);
    if (!dropped) return dropped.error();
    return {};
}

/// The ids of conversations that went for the new ones.
Result<std::vector<std::string>> write_all(sqlite3* db, const AllTold& all, const TranscriptLimits& limits)
{
    auto transaction = Transaction::begin(db);
    if (!transaction) return transaction.error();
    // The WHERE: what was deleted while it went on stays deleted.
    auto insert = Statement::prepare(db, "INSERT INTO lines (conversation_id, number, item_id, role, text, heard, cut, heard_ms, audio_ms, unix_ms) "
                                         "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM conversations WHERE id = ?) "
                                         "ON CONFLICT (conversation_id, number) DO UPDATE SET item_id = excluded.item_id, role = excluded.role, "
                                         "text = excluded.text, heard = excluded.heard, cut = excluded.cut, heard_ms = excluded.heard_ms, "
                                         "audio_ms = excluded.audio_ms");
    if (!insert) return insert.error();
    bool grew = false;
    for (const auto& [id, told] : all) {
        if (told.begun) {
            const auto made = change(db, "INSERT OR IGNORE INTO conversations (id, user, character_id, started_ms) VALUES (?, ?, ?, ?)", id,
                                     told.begun->user, told.begun->character_id, told.begun->unix_ms);
            if (!made) return made.error();
            grew = true;
        }
        if (!told.lines.empty())
            if (const auto written = write_lines(db, *insert, id, told, limits.lines_max); !written) return written.error();
        if (told.ended_unix_ms)
            if (const auto set = change(db, "UPDATE conversations SET ended_ms = ? WHERE id = ?", *told.ended_unix_ms, id); !set) return set.error();
    }
    Result<std::vector<std::string>> dropped = std::vector<std::string>();
    if (grew) dropped = drop_surplus_conversations(db, limits.sessions_max);
    if (!dropped) return dropped;
    if (const auto committed = transaction->commit(); !committed) return committed.error();
    return dropped;
}

StoredLine read_line(const Statement& row)
{
    StoredLine stored;
    stored.line.number = static_cast<std::uint64_t>(row.integer(0));
    stored.line.item_id = row.text(1);
    stored.line.role = row.text(2);
    stored.line.text = row.text(3);
    stored.line.heard = row.text(4);
    stored.line.cut = row.integer(5) != 0;
    stored.line.heard_ms = row.integer(6);
    stored.line.audio_ms = row.integer(7);
    stored.unix_ms = row.integer(8);
    return stored;
}

Result<std::vector<StoredLine>> read_lines(sqlite3* db, const std::string& id)
{
    return rows_of(db, "SELECT number, item_id, role, text, heard, cut, heard_ms, audio_ms, unix_ms FROM lines "
                       "WHERE conversation_id = ? ORDER BY number",
                   read_line, id);
}

Result<std::optional<StoredConversation>> read_conversation(sqlite3* db, const std::string& id)
{
    auto query = Statement::prepare(db, "SELECT user, character_id, started_ms, ended_ms FROM conversations WHERE id = ?");
    if (!query) return query.error();
    if (const auto bound = query->bind(1, id); !bound) return bound.error();
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return std::optional<StoredConversation>();
    StoredConversation found;
    found.id = id;
    found.user = query->text(0);
    found.character_id = query->text(1);
    found.started_unix_ms = query->integer(2);
    found.ended_unix_ms = query->integer(3);
    auto lines = read_lines(db, id);
    if (!lines) return lines.error();
    found.lines = std::move(*lines);
    return std::optional<StoredConversation>(std::move(found));
}

}  // namespace

struct TranscriptRepository::State : std::enable_shared_from_this<State> {
    State(Database& in, TranscriptLimits set, std::function<void(const std::string&)> tell)
        : database(in), limits(set), on_dropped(std::move(tell))
    {
    }

    /// Makes room for `bytes` of `id`, in place of `freed_bytes` of it; null: there is none. Under the mutex.
    Told* room_for(const std::string& id, std::size_t bytes, std::size_t freed_bytes = 0)
    {
        const auto known = all.find(id);
        const std::size_t wanted = bytes + (known == all.end() ? entry_bytes + id.size() : 0);
        if (queued_bytes + wanted > limits.queued_bytes_max + freed_bytes) return nullptr;
        Told& told = known == all.end() ? all[id] : known->second;
        told.bytes += wanted - freed_bytes;
        queued_bytes += wanted - freed_bytes;
        return &told;
    }

    /// What this line costs already; 0: it is not among those that wait. Under the mutex.
    std::size_t bytes_told(const std::string& id, std::uint64_t number) const
    {
        const auto known = all.find(id);
        if (known == all.end()) return 0;
        const auto line = known->second.lines.find(number);
        return line == known->second.lines.end() ? 0 : bytes_of(line->second.line);
    }

    /// One job takes all that has come until it runs, so that at most one waits.
    void ask_to_write()
    {
        {
            const std::lock_guard lock(mutex);
            if (writing || all.empty()) return;
            writing = true;
        }
        if (database.post([state = shared_from_this()](sqlite3* db) { return state->write_told(db); })) return;
        // What comes next asks again.
        const std::lock_guard lock(mutex);
        writing = false;
    }

    /// On the database thread.
    Result<void> write_told(sqlite3* db)
    {
        AllTold taken;
        {
            const std::lock_guard lock(mutex);
            writing = false;
            taken.swap(all);
            queued_bytes = 0;
        }
        if (taken.empty()) return {};
        const auto dropped = write_all(db, taken, limits);
        if (dropped) return tell_dropped(*dropped);
        keep_again(std::move(taken));
        return dropped.error();
    }

    Result<void> tell_dropped(const std::vector<std::string>& ids) const
    {
        if (on_dropped)
            for (const std::string& id : ids) on_dropped(id);
        return {};
    }

    /// What is too old, and what is too many.
    Result<void> drop_old(sqlite3* db, std::int64_t now_ms) const
    {
        if (limits.age_days_max > 0) {
            const auto aged = change(db, "DELETE FROM lines WHERE conversation_id IN (SELECT id FROM conversations WHERE started_ms < ?)",
                                     now_ms - limits.age_days_max * ms_of_day);
            if (!aged) return aged.error();
        }
        if (limits.kept_days_max > 0) {
            const std::int64_t oldest_ms = now_ms - limits.kept_days_max * ms_of_day;
            const auto aged = delete_conversations(db, "DELETE FROM conversations WHERE started_ms < ? RETURNING id", oldest_ms);
            if (!aged) return aged.error();
            if (const auto told = tell_dropped(*aged); !told) return told;
        }
        const auto dropped = drop_surplus_conversations(db, limits.sessions_max);
        if (!dropped) return dropped.error();
        return tell_dropped(*dropped);
    }

    /// After a failure (a full disk, a lock): it is tried again with what comes next. What was told meanwhile is newer.
    void keep_again(AllTold taken)
    {
        const std::lock_guard lock(mutex);
        for (auto& [id, old] : taken) {
            Told* now = room_for(id, old.bytes);
            if (!now) {
                lost_lines += old.lines.size();
                continue;
            }
            if (!now->begun) now->begun = std::move(old.begun);
            if (!now->ended_unix_ms) now->ended_unix_ms = old.ended_unix_ms;
            now->lines.merge(old.lines);
        }
        if (const std::size_t lost = std::exchange(lost_lines, 0); lost > 0)
            log::warn("transcripts.lines_lost", {{"lines", lost}, {"message", "The database could not be written for long. See store.job_failed."}});
    }

    /// What is deleted must not come back with a later write.
    void forget(const std::string& id)
    {
        const std::lock_guard lock(mutex);
        const auto found = all.find(id);
        if (found == all.end()) return;
        queued_bytes -= std::min(queued_bytes, found->second.bytes);
        all.erase(found);
    }

    std::vector<std::string> forget_user(const std::string& user)
    {
        std::vector<std::string> ids;
        const std::lock_guard lock(mutex);
        for (const auto& [id, told] : all)
            if (told.begun && told.begun->user == user) ids.push_back(id);
        for (const std::string& id : ids) {
            queued_bytes -= std::min(queued_bytes, all[id].bytes);
            all.erase(id);
        }
        return ids;
    }

    Database& database;
    const TranscriptLimits limits;
    const std::function<void(const std::string&)> on_dropped;  ///< may be empty
    std::mutex mutex;
    AllTold all;
    std::size_t queued_bytes = 0;
    std::size_t lost_lines = 0;
    bool writing = false;  ///< a job is queued
};

TranscriptRepository::TranscriptRepository(Database& database, TranscriptLimits limits, std::function<void(const std::string& id)> on_dropped)
    : state_(std::make_shared<State>(database, limits, std::move(on_dropped)))
{
}

TranscriptRepository::~TranscriptRepository() { state_->ask_to_write(); }

bool TranscriptRepository::begin(const std::string& id, std::string user, std::string character_id)
{
    {
        const std::lock_guard lock(state_->mutex);
        Told* told = state_->room_for(id, user.size() + character_id.size());
        if (!told) return false;
        told->begun = Told::Begun{std::move(user), std::move(character_id), unix_ms_now()};
    }
    state_->ask_to_write();
    return true;
}

std::size_t TranscriptRepository::write(const std::string& id, std::span<const Line> lines)
{
    std::size_t taken = 0;
    {
        const std::lock_guard lock(state_->mutex);
        const std::int64_t now = unix_ms_now();
        for (const Line& line : lines) {
            Told* told = state_->room_for(id, bytes_of(line), state_->bytes_told(id, line.number));
            if (!told) break;
            const auto [place, is_new] = told->lines.try_emplace(line.number);
            if (is_new) place->second.unix_ms = now;
            place->second.line = line;
            ++taken;
        }
    }
    state_->ask_to_write();
    return taken;
}

bool TranscriptRepository::end(const std::string& id)
{
    {
        const std::lock_guard lock(state_->mutex);
        Told* told = state_->room_for(id, 0);
        if (!told) return false;
        told->ended_unix_ms = unix_ms_now();
    }
    state_->ask_to_write();
    return true;
}

bool TranscriptRepository::load(std::string id, std::function<void(Result<std::optional<StoredConversation>>)> done)
{
    return state_->database.post([state = state_, id = std::move(id), done = std::move(done)](sqlite3* db) {
        const auto written = state->write_told(db);
        done(read_conversation(db, id));
        return written;
    });
}

bool TranscriptRepository::remove(std::string id, std::function<void(Result<bool>)> done)
{
    return state_->database.post([state = state_, id = std::move(id), done = std::move(done)](sqlite3* db) {
        const auto written = state->write_told(db);
        state->forget(id);
        const auto removed = change(db, "DELETE FROM conversations WHERE id = ?", id);
        if (removed) done(*removed > 0);
        else done(removed.error());
        return written;
    });
}

bool TranscriptRepository::remove_user(std::string user, std::function<void(Result<std::vector<std::string>>)> done)
{
    return state_->database.post([state = state_, user = std::move(user), done = std::move(done)](sqlite3* db) {
        const auto written = state->write_told(db);
        const std::vector<std::string> untold = state->forget_user(user);
        auto removed = delete_conversations(db, "DELETE FROM conversations WHERE user = ? RETURNING id", user);
        if (removed) removed->insert(removed->end(), untold.begin(), untold.end());
        done(std::move(removed));
        return written;
    });
}

bool TranscriptRepository::prune()
{
    return state_->database.post([state = state_, now = unix_ms_now()](sqlite3* db) -> Result<void> {
        if (const auto written = state->write_told(db); !written) return written;
        return state->drop_old(db, now);
    });
}

bool TranscriptRepository::close_left_open()
{
    return state_->database.post([](sqlite3* db) -> Result<void> {
        const auto closed = change(db, "UPDATE conversations SET ended_ms = ifnull((SELECT max(unix_ms) FROM lines "
                                       "WHERE conversation_id = conversations.id), started_ms) WHERE ended_ms = 0");
        if (!closed) return closed.error();
        return {};
    });
}

}  // namespace repartee::store
