#include "repartee/realtime/item.hpp"

#include "field_reader.hpp"
#include "repartee/base/ids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace repartee::realtime {
namespace {

constexpr std::size_t id_chars_max = 128;

constexpr std::array<std::string_view, 3> item_types = {"message", "function_call", "function_call_output"};
constexpr std::array<std::string_view, 3> roles = {"system", "user", "assistant"};
constexpr std::array<std::string_view, 3> statuses = {"completed", "incomplete", "in_progress"};
constexpr std::array<std::string_view, 1> system_parts = {"input_text"};
constexpr std::array<std::string_view, 3> user_parts = {"input_text", "input_audio", "input_image"};
constexpr std::array<std::string_view, 1> assistant_parts = {"output_text"};
constexpr std::array<std::string_view, 3> image_details = {"auto", "low", "high"};

bool is_id(std::string_view id)
{
    const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\'; };  // ids are written into events without escapes
    return !id.empty() && id.size() <= id_chars_max && std::all_of(id.begin(), id.end(), fits);
}

std::string read_id(FieldReader& reader, std::string_view key, std::string_view prefix)
{
    if (!reader.given(key)) return make_id(prefix);
    std::string id;
    reader.read(key, id);
    if (!reader.failed() && !is_id(id))
        reader.fail_value(key, fmt::format("not an id. Send 1 to {} printable ASCII characters, or leave it out.", id_chars_max));
    return id;
}

std::string required_text(FieldReader& reader, std::string_view key)
{
    std::string text;
    reader.required(key);
    reader.read(key, text);
    return text;
}

json::object read_input_audio(FieldReader& part)
{
    json::object result{{"type", "input_audio"}};
    std::string audio;
    std::string transcript;
    part.read("audio", audio);
    part.read("transcript", transcript);
    if (audio.size() % 4 != 0)
        part.fail(Code::invalid_audio, part.path_of("audio"),
                  fmt::format("Invalid '{}': its length is no multiple of 4. Send padded base64.", part.path_of("audio")));
    // History replayed from events has transcripts only.
    if (audio.empty() && transcript.empty()) part.fail_missing("audio");
    if (!audio.empty()) result.emplace("audio", audio);
    result.emplace("transcript", transcript);
    return result;
}

json::object read_input_image(FieldReader& part)
{
    const std::string url = required_text(part, "image_url");
    std::string detail = "auto";
    part.read_word("detail", detail, image_details);
    if (!url.starts_with("data:image/png;base64,") && !url.starts_with("data:image/jpeg;base64,"))
        part.fail_value("image_url", "not an inline image. Send a PNG or JPEG as a data URL: data:image/png;base64,…");
    return {{"type", "input_image"}, {"image_url", url}, {"detail", detail}};
}

std::span<const std::string_view> parts_of(std::string_view role)
{
    if (role == "user") return user_parts;
    if (role == "assistant") return assistant_parts;
    return system_parts;
}

json::object read_part(FieldReader& part, std::string_view role)
{
    std::string type = required_text(part, "type");
    if (role == "assistant" && type == "text") type = "output_text";
    const auto accepted = parts_of(role);
    if (part.failed()) return {};
    if (type == "output_audio" || (role == "assistant" && type == "audio")) {
        part.fail_value("type", "a client cannot create model audio. Send its transcript as output_text of an assistant message.");
        return {};
    }
    if (std::find(accepted.begin(), accepted.end(), type) == accepted.end()) {
        part.fail_word("type", type, accepted);
        return {};
    }
    if (type == "input_audio") return read_input_audio(part);
    if (type == "input_image") return read_input_image(part);
    const std::string text = required_text(part, "text");
    return {{"type", type}, {"text", text}};
}

void read_message(FieldReader& item, std::optional<Error>& mistake, json::object& result)
{
    std::string role;
    item.required("role");
    item.read_word("role", role, roles);
    item.required("content");
    const json::array* parts = item.array("content");
    if (!parts) return;
    const std::string path = item.path_of("content");
    // A reply that was interrupted before its first word is replayed as an assistant message without content.
    if (parts->empty() && role != "assistant")
        return item.fail_value("content", "empty. Send at least one part.");
    json::array content;
    content.reserve(parts->size());
    for (std::size_t i = 0; i < parts->size() && !mistake; ++i) {
        const std::string part_path = indexed(path, i);
        const json::object* object = (*parts)[i].if_object();
        if (!object) return item.fail(Code::invalid_value, part_path, fmt::format("Invalid type for '{}': expected an object.", part_path));
        FieldReader part(*object, part_path, mistake);
        content.emplace_back(read_part(part, role));
    }
    result.emplace("role", role);
    result.emplace("content", std::move(content));
}

void read_function_call(FieldReader& item, json::object& result)
{
    result.emplace("call_id", read_id(item, "call_id", "call_"));
    result.emplace("name", required_text(item, "name"));
    result.emplace("arguments", required_text(item, "arguments"));
}

void read_function_call_output(FieldReader& item, json::object& result)
{
    item.required("call_id");
    result.emplace("call_id", read_id(item, "call_id", "call_"));
    result.emplace("output", required_text(item, "output"));
}

std::string_view text_of(const json::value& part)
{
    const json::object* object = part.if_object();
    if (!object) return {};
    if (const auto text = json::find_string(*object, "text")) return *text;
    return json::find_string(*object, "transcript").value_or(std::string_view{});
}

}  // namespace

Result<json::object> normalise_item(const json::object& item, std::string_view path)
{
    std::optional<Error> mistake;
    FieldReader reader(item, std::string(path), mistake);
    const std::string type = required_text(reader, "type");
    if (type.starts_with("mcp_"))
        reader.fail_value("type", "MCP items are not supported by this server. Use function_call_output for results.");
    if (type == "item_reference")
        reader.fail_value("type", "an item_reference belongs into 'response.input' of response.create only.");
    if (std::find(item_types.begin(), item_types.end(), type) == item_types.end()) reader.fail_word("type", type, item_types);

    std::string status = "completed";
    reader.read_word("status", status, statuses);
    json::object result{{"id", read_id(reader, "id", "item_")}, {"object", "realtime.item"}, {"type", type}, {"status", status}};
    if (type == "message") read_message(reader, mistake, result);
    if (type == "function_call") read_function_call(reader, result);
    if (type == "function_call_output") read_function_call_output(reader, result);
    if (mistake) return *mistake;
    return result;
}

std::string item_text(const json::object& item)
{
    if (const auto output = json::find_string(item, "output")) return std::string(*output);
    std::string text;
    const json::array* content = json::find_array(item, "content");
    if (!content) return text;
    for (const json::value& part : *content) {
        const std::string_view piece = text_of(part);
        if (piece.empty()) continue;
        if (!text.empty()) text += '\n';
        text += piece;
    }
    return text;
}

json::object without_audio(json::object item)
{
    json::value* content = item.if_contains("content");
    if (!content || !content->is_array()) return item;
    for (json::value& part : content->get_array())
        if (json::object* object = part.if_object()) object->erase("audio");
    return item;
}

}  // namespace repartee::realtime
