#pragma once
#include "repartee/base/json.hpp"

#include <string>
#include <string_view>

/// Conversation items. Source: OpenAI Realtime GA, "Conversation items".
namespace repartee::realtime {

/// Checks an item that a client creates and returns it as a server keeps it: the members of its type only, with `id`, `object`, `status`
/// (and `call_id` of a function call) filled in; `text` parts of an assistant become `output_text`. Other members are dropped,
/// nulls read as absent.
/// Base64 is checked by its length only. `path` names the item in errors: "item.content[0].text".
/// Refused: what a client cannot create (assistant audio, item_reference) and MCP items.
Result<json::object> normalise_item(const json::object& item, std::string_view path = "item");

/// What was said or written: texts and transcripts of all parts, joined by line breaks; the output of a function_call_output.
std::string item_text(const json::object& item);

/// The item without the `audio` of its parts, as every event but conversation.item.retrieved carries it.
json::object without_audio(json::object item);

}  // namespace repartee::realtime
