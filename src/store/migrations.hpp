#pragma once
#include "repartee/base/error.hpp"

struct sqlite3;

namespace repartee::store {

/// The schema this binary knows; what `PRAGMA user_version` says after migrate().
int newest_schema();

/// Code::storage when the database is newer than this binary, or belongs to another program. Changes nothing.
Result<void> check_schema(sqlite3* db);

/// Brings the schema up to the newest, one transaction a step: a failure leaves the last whole step.
Result<void> migrate(sqlite3* db);

}  // namespace repartee::store
