#include "repartee/realtime/response_config.hpp"

#include "repartee/base/quoted.hpp"
#include "repartee/realtime/item.hpp"
#include "session_parts.hpp"

#include <fmt/format.h>

#include <array>

namespace repartee::realtime {
namespace {

constexpr std::size_t metadata_pairs_max = 16;
constexpr std::size_t metadata_key_chars_max = 64;
constexpr std::size_t metadata_value_chars_max = 512;
constexpr std::size_t input_items_max = 1000;

constexpr std::array<std::string_view, 2> conversations = {"auto", "none"};
constexpr std::array<Mend, 5> response_mends = {{
    {"modalities", "Use 'response.output_modalities'."},
    {"voice", "Use 'response.audio.output.voice'."},
    {"output_audio_format", "Use 'response.audio.output.format'."},
    {"max_response_output_tokens", "Use 'response.max_output_tokens'."},
    {"temperature", "The GA API has no temperature; leave it out."},
}};

void read_metadata(FieldReader& response, json::value& metadata)
{
    const json::value* v = response.given("metadata");
    if (!v) return;
    const json::object* pairs = v->if_object();
    if (!pairs) return response.fail_type("metadata", "an object", *v);
    if (pairs->size() > metadata_pairs_max)
        return response.fail_value("metadata", fmt::format("{} pairs. Send at most {}.", pairs->size(), metadata_pairs_max));
    for (const auto& pair : *pairs) {
        const std::string_view key(pair.key().data(), pair.key().size());
        const boost::json::string* text = pair.value().if_string();
        const bool key_fits = !key.empty() && utf8_characters(key) <= metadata_key_chars_max;
        const bool value_fits = text && utf8_characters({text->data(), text->size()}) <= metadata_value_chars_max;
        if (!key_fits || !value_fits)
            return response.fail_value("metadata", fmt::format("at {}. Keys have 1 to {} characters, values are strings of at most {}.",
                                                               quoted_value(key), metadata_key_chars_max, metadata_value_chars_max));
    }
    metadata = *v;
}

Result<json::object> input_item(const json::object& item, const std::string& path)
{
    if (json::find_string(item, "type") != "item_reference") return normalise_item(item, path);
    const auto id = json::find_string(item, "id");
    if (!id || id->empty())
        return Error{Code::missing_required_parameter, fmt::format("Missing required parameter: '{}.id'.", path), path + ".id"};
    return json::object{{"type", "item_reference"}, {"id", boost::json::string_view(id->data(), id->size())}};
}

void read_input_items(FieldReader& response, std::optional<json::array>& input)
{
    const json::array* given = response.array("input");
    if (!given) return;
    const std::string path = response.path_of("input");
    if (given->size() > input_items_max)
        return response.fail_value("input", fmt::format("{} items. Send at most {}.", given->size(), input_items_max));
    json::array items;
    items.reserve(given->size());
    for (std::size_t i = 0; i < given->size(); ++i) {
        const std::string item_path = indexed(path, i);
        const json::object* object = (*given)[i].if_object();
        if (!object)
            return response.fail(Code::invalid_value, item_path, fmt::format("Invalid type for '{}': expected an object.", item_path));
        auto item = input_item(*object, item_path);
        if (!item) return response.fail(item.error().code, item.error().param, item.error().message);
        items.emplace_back(std::move(*item));
    }
    input = std::move(items);
}

void read_audio(FieldReader& response, ResponseConfig& config)
{
    auto audio = response.object("audio");
    if (!audio) return;
    if (auto output = audio->object("output")) {
        read_format(*output, config.output_format);
        read_voice(*output, config.voice);
        output->refuse_others();
    }
    audio->refuse_others();
}

ResponseConfig like(const SessionConfig& session)
{
    ResponseConfig config;
    config.audio_output = session.audio_output;
    config.instructions = session.instructions;
    config.voice = session.voice;
    config.output_format = session.output_format;
    config.tools = session.tools;
    config.tool_choice = session.tool_choice;
    config.max_output_tokens = session.max_output_tokens;
    config.prompt = session.prompt;
    config.extra = session.extra;
    return config;
}

}  // namespace

std::int64_t ResponseConfig::output_tokens_limit() const
{
    return max_output_tokens.is_number() ? max_output_tokens.to_number<std::int64_t>() : 0;
}

Result<ResponseConfig> read_response_create(const json::object& response, const SessionConfig& session)
{
    std::optional<Error> mistake;
    ResponseConfig config = like(session);
    FieldReader reader(response, "response", mistake);
    std::string conversation = "auto";

    read_output_modalities(reader, config.audio_output);
    reader.read("instructions", config.instructions);
    read_audio(reader, config);
    read_tools(reader, config.tools);
    read_tool_choice(reader, config.tool_choice);
    read_max_output_tokens(reader, config.max_output_tokens);
    reader.read_word("conversation", conversation, conversations);
    read_metadata(reader, config.metadata);
    read_prompt(reader, config.prompt);
    read_model_options(reader, config.extra);
    read_input_items(reader, config.input);
    reader.refuse_others(response_mends);
    if (mistake) return *mistake;
    config.in_conversation = conversation == "auto";
    return config;
}

}  // namespace repartee::realtime
