#include "statement.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

namespace repartee::store {
namespace {

std::string_view mend(int code)
{
    switch (code & 0xFF) {
    case SQLITE_FULL: return "The disk is full. Free some space.";
    case SQLITE_READONLY: return "It is read-only. Give this user the right to write the file and its folder.";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "Another program keeps it locked. Close that program, or give this one its own file.";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "It is damaged or not a SQLite database. Restore it from a backup, or move it away so that a new one is made.";
    case SQLITE_CANTOPEN: return "It cannot be opened. Check that the path is a file in a folder this user may write to.";
    case SQLITE_PERM:
    case SQLITE_AUTH: return "Access is denied. Check the permissions of the file and its folder.";
    case SQLITE_IOERR: return "Reading or writing failed. Check the disk.";
    case SQLITE_CONSTRAINT: return "The value breaks a rule of the table.";
    case SQLITE_NOMEM: return "There is not enough memory.";
    default: return "Look at the message, and restore a backup if it persists.";
    }
}

}  // namespace

std::string_view file_of(sqlite3* db)
{
    const char* file = sqlite3_db_filename(db, "main");
    return file && *file ? file : "(in memory)";
}

Error storage_error(sqlite3* db)
{
    return Error{Code::storage, fmt::format("Database {}: {}. {}", file_of(db), sqlite3_errmsg(db), mend(sqlite3_errcode(db)))};
}

Result<void> execute(sqlite3* db, const char* sql)
{
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return storage_error(db);
    return {};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<Statement> Statement::prepare(sqlite3* db, std::string_view sql)
{
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) return storage_error(db);
    return Statement(statement);
}

Result<void> Statement::outcome(int code) const
{
    if (code != SQLITE_OK) return storage_error(sqlite3_db_handle(statement_.get()));
    return {};
}

Result<void> Statement::bind(int parameter, std::string_view text)
{
    // An empty view may hold a null pointer, which SQLite would read as NULL.
    const char* bytes = text.empty() ? "" : text.data();
    return outcome(sqlite3_bind_text64(statement_.get(), parameter, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Result<void> Statement::bind(int parameter, std::int64_t number) { return outcome(sqlite3_bind_int64(statement_.get(), parameter, number)); }

Result<void> Statement::bind(int parameter, double number) { return outcome(sqlite3_bind_double(statement_.get(), parameter, number)); }

Result<void> Statement::bind_blob(int parameter, std::string_view bytes)
{
    const char* data = bytes.empty() ? "" : bytes.data();
    return outcome(sqlite3_bind_blob64(statement_.get(), parameter, data, bytes.size(), SQLITE_STATIC));
}

Result<bool> Statement::step()
{
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return storage_error(sqlite3_db_handle(statement_.get()));
}

Result<void> Statement::run()
{
    for (;;) {
        const auto row = step();
        if (!row) {
            // The error was taken first: reset would report it a second time.
            sqlite3_reset(statement_.get());
            return row.error();
        }
        if (!*row) break;
    }
    return outcome(sqlite3_reset(statement_.get()));
}

std::string Statement::text(int column) const
{
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    if (!bytes) return {};
    return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string Statement::blob(int column) const
{
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    if (!bytes) return {};
    return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

Result<std::int64_t> ask_number(sqlite3* db, std::string_view sql)
{
    auto query = Statement::prepare(db, sql);
    if (!query) return query.error();
    if (const auto row = query->step(); !row) return row.error();
    return query->integer(0);
}

std::int64_t rows_changed(sqlite3* db) { return sqlite3_changes(db); }

Result<Transaction> Transaction::begin(sqlite3* db)
{
    const auto begun = execute(db, "BEGIN IMMEDIATE");
    if (!begun) return begun.error();
    return Transaction(db);
}

Transaction::~Transaction()
{
    // Some failures (a full disk) have rolled back already.
    if (db_ && !sqlite3_get_autocommit(db_)) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit()
{
    auto committed = execute(db_, "COMMIT");
    if (committed) db_ = nullptr;
    return committed;
}

}  // namespace repartee::store
