#pragma once
#include "repartee/base/error.hpp"
#include "repartee/net/http_message.hpp"
#include "repartee/store/transcript_repository.hpp"

#include <string>

namespace repartee::api {

/// ?user= of a conversation or of what is asked about one: 1 to 128 bytes without control characters. Absent: `user` stays as it is.
Result<void> read_user(const net::Request& request, std::string& user);

/// For people: a line a turn with its time, and what of a reply was heard where it was cut off. Pure.
std::string transcript_text(const store::StoredConversation& conversation);

}  // namespace repartee::api
