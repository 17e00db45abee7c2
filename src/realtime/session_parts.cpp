#include "session_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace repartee::realtime {
namespace {

constexpr std::size_t tools_max = 128;
constexpr std::size_t tool_name_chars_max = 64;
constexpr std::size_t voice_chars_max = 128;
constexpr std::int64_t output_tokens_max = 4096;

constexpr std::array<std::string_view, 3> format_types = {"audio/pcm", "audio/pcmu", "audio/pcma"};
constexpr std::array<std::string_view, 10> voices = {"alloy", "ash",     "ballad", "coral", "echo",
                                                     "sage",  "shimmer", "verse",  "marin", "cedar"};
constexpr std::array<std::string_view, 3> tool_choices = {"auto", "none", "required"};
constexpr std::array<std::string_view, 5> efforts = {"minimal", "low", "medium", "high", "xhigh"};
constexpr std::string_view no_mcp = "MCP tools are not supported by this server. Offer the tool as a function (\"type\":\"function\").";
constexpr std::array<Mend, 2> tool_mends = {{
    {"function", "Realtime tools are flat: put name, description and parameters beside type."},
    {"strict", "The Realtime API has no strict mode; leave it out."},
}};

bool is_tool_name(std::string_view name)
{
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto fits = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    return !name.empty() && name.size() <= tool_name_chars_max && std::all_of(name.begin(), name.end(), fits);
}

void read_function_name(FieldReader& reader)
{
    std::string tool_name;
    reader.required("name");
    reader.read("name", tool_name);
    if (!reader.failed() && !is_tool_name(tool_name))
        reader.fail_value("name", fmt::format("{}. Use up to {} letters, digits, '_', '-'.", quoted_value(tool_name), tool_name_chars_max));
}

void check_tool(FieldReader& tool)
{
    std::string type;
    tool.required("type");
    tool.read("type", type);
    if (tool.failed()) return;
    if (type == "mcp") return tool.fail_value("type", no_mcp);
    if (type != "function") return tool.fail_word("type", type, std::array<std::string_view, 1>{"function"});

    // Before the name: a nested "function" object says more about the mistake than the name that is missing beside it.
    std::string description;
    tool.read("description", description);
    tool.object("parameters");
    tool.get("name");
    tool.refuse_others(tool_mends);
    read_function_name(tool);
}

void check_prompt_variables(FieldReader& variables)
{
    for (const auto& variable : variables.members())
        if (!variable.value().is_string())
            return variables.fail(Code::invalid_value, variables.path(),
                                  fmt::format("Invalid '{}': this server takes texts only. Send strings as values.", variables.path()));
}

bool is_custom_voice_id(std::string_view id)
{
    const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\'; };
    return !id.empty() && id.size() <= voice_chars_max && std::all_of(id.begin(), id.end(), fits);
}

void read_custom_voice(FieldReader& output, std::string& voice)
{
    auto custom = output.object("voice");
    if (!custom) return;
    std::string id;
    custom->required("id");
    custom->read("id", id);
    custom->refuse_others();
    if (output.failed()) return;
    if (!is_custom_voice_id(id))
        return custom->fail_value("id", fmt::format("not an id. Send 1 to {} printable ASCII characters.", voice_chars_max));
    voice = id;
}

}  // namespace

json::object to_json(const AudioFormat& format)
{
    switch (format.type) {
    case AudioFormat::Type::pcmu: return {{"type", "audio/pcmu"}};
    case AudioFormat::Type::pcma: return {{"type", "audio/pcma"}};
    case AudioFormat::Type::pcm: break;
    }
    return {{"type", "audio/pcm"}, {"rate", format.rate_hz}};
}

bool is_realtime_voice(std::string_view lower_case_name)
{
    return std::find(voices.begin(), voices.end(), lower_case_name) != voices.end();
}

std::string normalise_voice(std::string_view voice)
{
    std::string lower(voice);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

json::array output_modalities(bool audio_output) { return {audio_output ? "audio" : "text"}; }

void read_format(FieldReader& audio_side, AudioFormat& format)
{
    const json::value* given = audio_side.given("format");
    if (given && given->is_string())
        return audio_side.fail_value("format", "a format is an object. Send e.g. {\"type\":\"audio/pcm\",\"rate\":24000}.");
    auto reader = audio_side.object("format");
    if (!reader) return;
    std::string type;
    reader->required("type");
    reader->read_word("type", type, format_types);
    AudioFormat result;
    if (type == "audio/pcmu") result = {AudioFormat::Type::pcmu, 8'000};
    if (type == "audio/pcma") result = {AudioFormat::Type::pcma, 8'000};
    std::int64_t rate_hz = result.rate_hz;
    reader->read("rate", rate_hz, 1, 1'000'000);
    if (rate_hz != result.rate_hz)
        reader->fail_value("rate", fmt::format("{} has {} Hz only. Resample, or leave the rate out.", type, result.rate_hz));
    reader->refuse_others();
    if (!reader->failed()) format = result;
}

void read_voice(FieldReader& output, std::string& voice)
{
    const json::value* v = output.given("voice");
    if (!v) return;
    if (!v->is_string()) return read_custom_voice(output, voice);
    const std::string wanted = normalise_voice({v->get_string().data(), v->get_string().size()});
    if (wanted == normalise_voice(voice)) return;
    if (is_realtime_voice(wanted)) {
        voice = wanted;
        return;
    }
    output.fail_value("voice", fmt::format("{}. Supported values are: {}. Name any other voice as {{\"id\":\"…\"}}.", quoted_value(wanted),
                                           quoted_words(voices)));
}

void read_output_modalities(FieldReader& session, bool& audio_output)
{
    const json::array* modalities = session.array("output_modalities");
    if (!modalities) return;
    const bool one = modalities->size() == 1;
    if (one && modalities->front() == "audio") {
        audio_output = true;
    } else if (one && modalities->front() == "text") {
        audio_output = false;
    } else {
        session.fail_value("output_modalities", "send [\"audio\"] or [\"text\"], never both: audio always comes with its transcript.");
    }
}

void read_tools(FieldReader& session, json::array& tools)
{
    const json::array* given = session.array("tools");
    if (!given) return;
    const std::string path = session.path_of("tools");
    if (given->size() > tools_max)
        return session.fail_value("tools", fmt::format("{} tools. Send at most {}.", given->size(), tools_max));

    json::array checked;
    checked.reserve(given->size());
    std::optional<Error> mistake;
    for (std::size_t i = 0; i < given->size() && !mistake; ++i) {
        const std::string tool_path = indexed(path, i);
        if (const json::object* object = (*given)[i].if_object()) {
            FieldReader tool(*object, tool_path, mistake);
            check_tool(tool);
            checked.emplace_back(tool.members());
        } else {
            mistake = Error{Code::invalid_value, fmt::format("Invalid type for '{}': expected an object.", tool_path), tool_path};
        }
    }
    if (mistake) return session.fail(mistake->code, mistake->param, mistake->message);
    tools = std::move(checked);
}

void read_tool_choice(FieldReader& session, json::value& tool_choice)
{
    const json::value* v = session.given("tool_choice");
    if (!v) return;
    if (v->is_string()) {
        std::string word;
        session.read_word("tool_choice", word, tool_choices);
        if (!session.failed()) tool_choice = word;
        return;
    }
    auto choice = session.object("tool_choice");
    if (!choice) return;
    std::string type;
    choice->required("type");
    choice->read("type", type);
    if (type == "mcp") return choice->fail_value("type", no_mcp);
    if (!choice->failed() && type != "function") return choice->fail_word("type", type, std::array<std::string_view, 1>{"function"});
    read_function_name(*choice);
    choice->refuse_others();
    if (!choice->failed()) tool_choice = choice->members();
}

void read_max_output_tokens(FieldReader& session, json::value& limit)
{
    const json::value* v = session.given("max_output_tokens");
    if (!v) return;
    if (*v == "inf") {
        limit = "inf";
        return;
    }
    if (v->is_string())
        return session.fail_value("max_output_tokens", fmt::format("send an integer from 1 to {}, or \"inf\".", output_tokens_max));
    std::int64_t tokens = 0;
    session.read("max_output_tokens", tokens, 1, output_tokens_max);
    if (!session.failed()) limit = tokens;
}

void read_prompt(FieldReader& session, json::value& prompt)
{
    const json::value* v = session.get("prompt");
    if (!v) return;
    if (v->is_null()) {
        prompt = nullptr;
        return;
    }
    auto reader = session.object("prompt");
    if (!reader) return;
    std::string text;
    reader->required("id");
    reader->read("id", text);
    reader->read("version", text);
    if (auto variables = reader->object("variables")) check_prompt_variables(*variables);
    reader->refuse_others();
    if (!session.failed()) prompt = reader->members();
}

void read_model_options(FieldReader& session, json::object& extra)
{
    if (auto reasoning = session.object("reasoning")) {
        std::string effort;
        reasoning->read_word("effort", effort, efforts);
        reasoning->refuse_others();
        if (!session.failed()) extra["reasoning"] = reasoning->members();
    }
    bool parallel = false;
    if (!session.given("parallel_tool_calls")) return;
    session.read("parallel_tool_calls", parallel);
    if (!session.failed()) extra["parallel_tool_calls"] = parallel;
}

}  // namespace repartee::realtime
