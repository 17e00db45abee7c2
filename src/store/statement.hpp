#pragma once
#include "repartee/base/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace repartee::store {

/// The database's file as messages name it.
std::string_view file_of(sqlite3* db);

/// The last failure of `db` as Code::storage: the cause in clear words, the file, the mend.
Error storage_error(sqlite3* db);

/// Runs SQL without parameters or rows; several statements are fine.
Result<void> execute(sqlite3* db, const char* sql);

/// One prepared statement. Parameters count from 1, columns from 0, as in SQLite.
class Statement {
public:
    static Result<Statement> prepare(sqlite3* db, std::string_view sql);

    Result<void> bind(int parameter, std::string_view text);
    Result<void> bind(int parameter, std::int64_t number);
    Result<void> bind(int parameter, double number);
    /// Not copied: `bytes` outlive the statement, or its next bind.
    Result<void> bind_blob(int parameter, std::string_view bytes);

    Result<bool> step();  ///< true: there is a row
    Result<void> run();   ///< steps to the end, then ready to be bound again

    std::string text(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string blob(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
    Result<void> outcome(int code) const;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// BEGIN IMMEDIATE … COMMIT; leaving the scope without commit() rolls back.
class Transaction {
public:
    static Result<Transaction> begin(sqlite3* db);
    Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    Result<void> commit();

private:
    explicit Transaction(sqlite3* db) : db_(db) {}
    sqlite3* db_;
};

}  // namespace repartee::store
