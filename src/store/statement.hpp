#pragma once
#include "repartee/base/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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
    /// All parameters, in order.
    template <class... Values>
    Result<void> bind_all(const Values&... values)
    {
        Result<void> bound;
        int parameter = 0;
        ((bound = bound ? bind(++parameter, values) : bound), ...);
        return bound;
    }

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

/// The first column of a query's one row.
Result<std::int64_t> ask_number(sqlite3* db, std::string_view sql);

/// The number of rows that the last statement changed.
std::int64_t rows_changed(sqlite3* db);

/// Runs SQL with these parameters; the number of rows it changed.
template <class... Values>
Result<std::int64_t> change(sqlite3* db, std::string_view sql, const Values&... values)
{
    auto statement = Statement::prepare(db, sql);
    if (!statement) return statement.error();
    if (const auto bound = statement->bind_all(values...); !bound) return bound.error();
    if (const auto run = statement->run(); !run) return run.error();
    return rows_changed(db);
}

/// What `read(row)` makes of each row of a query with these parameters.
template <class Read, class... Values>
auto rows_of(sqlite3* db, std::string_view sql, const Read& read, const Values&... values)
    -> Result<std::vector<std::invoke_result_t<const Read&, const Statement&>>>
{
    auto query = Statement::prepare(db, sql);
    if (!query) return query.error();
    if (const auto bound = query->bind_all(values...); !bound) return bound.error();
    std::vector<std::invoke_result_t<const Read&, const Statement&>> rows;
    for (;;) {
        const auto row = query->step();
        if (!row) return row.error();
        if (!*row) return rows;
        rows.push_back(read(*query));
    }
}

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
