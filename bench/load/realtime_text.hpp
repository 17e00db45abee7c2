#pragma once
#include <string>
#include <string_view>
#include <vector>

/// Events of the Realtime API's server as text: the few that a relay needs to see.
namespace repartee::bench {

struct ReplyIds {
    std::string response, item, previous_item;
};

enum class ReplyEnd { completed, turn_detected, client_cancelled };

/// `members`: JSON members without the braces; may be empty.
std::string event_text(std::string_view type, std::string_view members);
std::string error_text(std::string_view code, std::string_view message, std::string_view client_event_id);

/// A spoken item of the person: committed, added, done.
std::vector<std::string> user_item_events(const std::string& item_id, const std::string& previous_item_id);
/// What precedes the first delta of a reply, and what follows the last.
std::vector<std::string> reply_begin_events(const ReplyIds& ids);
std::vector<std::string> reply_end_events(const ReplyIds& ids, ReplyEnd how);

}  // namespace repartee::bench
