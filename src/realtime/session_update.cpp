#include "repartee/realtime/session_config.hpp"

#include "session_parts.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace repartee::realtime {
namespace {

constexpr std::array<std::string_view, 2> session_types = {"realtime", "transcription"};
constexpr std::array<std::string_view, 2> noise_reductions = {"near_field", "far_field"};
constexpr std::array<std::string_view, 5> delays = {"minimal", "low", "medium", "high", "xhigh"};
constexpr std::array<std::string_view, 2> truncations = {"auto", "disabled"};
constexpr std::string_view logprobs = "item.input_audio_transcription.logprobs";

constexpr std::string_view set_by_server = "It is set by the server; leave it out.";
constexpr std::array<Mend, 14> session_mends = {{
    {"modalities", "Use 'session.output_modalities'."},
    {"voice", "Use 'session.audio.output.voice'."},
    {"speed", "Use 'session.audio.output.speed'."},
    {"input_audio_format", "Use 'session.audio.input.format', e.g. {\"type\":\"audio/pcm\",\"rate\":24000}."},
    {"output_audio_format", "Use 'session.audio.output.format', e.g. {\"type\":\"audio/pcm\",\"rate\":24000}."},
    {"input_audio_transcription", "Use 'session.audio.input.transcription'."},
    {"input_audio_noise_reduction", "Use 'session.audio.input.noise_reduction'."},
    {"turn_detection", "Use 'session.audio.input.turn_detection'."},
    {"max_response_output_tokens", "Use 'session.max_output_tokens'."},
    {"temperature", "The GA API has no temperature; leave it out."},
    {"id", set_by_server},
    {"object", set_by_server},
    {"expires_at", set_by_server},
    {"client_secret", set_by_server},
}};

// {…} over the present object; a member given as null is taken out.
json::value merged(const json::value& present, const json::object& changes)
{
    json::object result = present.is_object() ? present.get_object() : json::object{};
    for (const auto& member : changes) {
        if (member.value().is_null())
            result.erase(member.key());
        else
            result.insert_or_assign(member.key(), member.value());
    }
    return result;
}

void read_transcription(FieldReader& input, json::value& transcription)
{
    const json::value* v = input.get("transcription");
    if (!v) return;
    if (v->is_null()) {
        transcription = nullptr;
        return;
    }
    auto reader = input.object("transcription");
    if (!reader) return;
    std::string text;
    json::value texts;
    for (const char* key : {"model", "language", "prompt"}) reader->read(key, text);
    for (const char* key : {"languages", "keywords"}) reader->read_strings(key, texts);
    reader->read_word("delay", text, delays);
    reader->refuse_others();
    if (const json::array* languages = reader->array("languages"); languages && languages->empty())
        reader->fail_value("languages", "empty. Name at least one language, or leave it out.");
    if (!reader->failed()) transcription = merged(transcription, v->get_object());
}

void read_noise_reduction(FieldReader& input, json::value& noise_reduction)
{
    const json::value* v = input.get("noise_reduction");
    if (!v) return;
    if (v->is_null()) {
        noise_reduction = nullptr;
        return;
    }
    auto reader = input.object("noise_reduction");
    if (!reader) return;
    std::string type;
    reader->required("type");
    reader->read_word("type", type, noise_reductions);
    reader->refuse_others();
    if (!input.failed()) noise_reduction = reader->members();
}

void read_input(FieldReader& audio, SessionConfig& config, std::optional<Error>& first_error)
{
    auto input = audio.object("input");
    if (!input) return;
    read_format(*input, config.input_format);
    read_transcription(*input, config.input_transcription);
    read_noise_reduction(*input, config.noise_reduction);
    if (const json::value* v = input->get("turn_detection"))
        config.turn_detection = turn_detection_over(*v, config.turn_detection, input->path_of("turn_detection"), first_error);
    input->refuse_others();
}

void read_output(FieldReader& audio, SessionConfig& config, bool voice_locked, std::optional<Error>& first_error)
{
    auto output = audio.object("output");
    if (!output) return;
    const std::string voice_before = config.voice;
    read_format(*output, config.output_format);
    read_voice(*output, config.voice);
    output->read("speed", config.speed, 0.25, 1.5);
    output->refuse_others();
    if (!voice_locked || config.voice == voice_before || first_error) return;
    std::string message = fmt::format("Cannot update a voice that was heard. Keep {}, or open a new session.", quoted_value(voice_before));
    first_error = Error{Code::invalid_value, std::move(message), output->path_of("voice"), "cannot_update_voice"};
}

void read_retention(FieldReader& reader, json::value& truncation)
{
    std::string type;
    double ratio = 0;
    reader.required("type");
    reader.read_word("type", type, std::array<std::string_view, 1>{"retention_ratio"});
    reader.required("retention_ratio");
    reader.read("retention_ratio", ratio, 0.0, 1.0);
    json::object result = reader.members();
    if (auto limits = reader.object("token_limits")) {
        std::int64_t tokens = 0;
        limits->read("post_instructions", tokens, 0, std::numeric_limits<std::int32_t>::max());
        limits->refuse_others();
        result["token_limits"] = limits->members();
    }
    reader.refuse_others();
    if (!reader.failed()) truncation = std::move(result);
}

void read_truncation(FieldReader& session, json::value& truncation)
{
    const json::value* v = session.given("truncation");
    if (!v) return;
    if (!v->is_string()) {
        if (auto reader = session.object("truncation")) read_retention(*reader, truncation);
        return;
    }
    std::string word;
    session.read_word("truncation", word, truncations);
    if (!session.failed()) truncation = word;
}

void read_tracing(FieldReader& session, json::value& tracing)
{
    const json::value* v = session.get("tracing");
    if (!v) return;
    json::value wanted = *v;
    if (v->is_string()) {
        std::string word;
        session.read_word("tracing", word, std::array<std::string_view, 1>{"auto"});
    } else if (auto reader = session.object("tracing")) {
        std::string text;
        reader->read("workflow_name", text);
        reader->read("group_id", text);
        reader->object("metadata");
        reader->refuse_others();
        wanted = reader->members();
    }
    if (!tracing.is_null() && wanted != tracing)
        session.fail_value("tracing", "it cannot change once it is on. Leave it out.");
    if (!session.failed()) tracing = std::move(wanted);
}

void read_include(FieldReader& session, json::value& include)
{
    const json::value* v = session.get("include");
    if (!v) return;
    if (const json::array* words = session.array("include"))
        for (const json::value& word : *words)
            if (word != boost::json::string_view(logprobs.data(), logprobs.size()))
                session.fail_value("include", fmt::format("the only thing to include is '{}'.", logprobs));
    if (!session.failed()) include = *v;
}

void read_type(FieldReader& session, const SessionConfig& config)
{
    std::string type;
    session.required("type");
    session.read_word("type", type, session_types);
    const std::string_view present = session_types[config.transcription_only ? 1 : 0];
    if (!session.failed() && type != present)
        session.fail_value("type", fmt::format("it cannot change from '{}'. Open another connection for '{}'.", present, type));
}

void read_realtime_members(FieldReader& session, SessionConfig& config)
{
    // The official agents SDK names a model in its first update; the model of a session is fixed by its URL, so the present one stays.
    std::string ignored_model;
    session.read("model", ignored_model);
    read_output_modalities(session, config.audio_output);
    session.read("instructions", config.instructions);
    read_tools(session, config.tools);
    read_tool_choice(session, config.tool_choice);
    read_max_output_tokens(session, config.max_output_tokens);
    read_truncation(session, config.truncation);
    read_tracing(session, config.tracing);
    read_prompt(session, config.prompt);
    read_model_options(session, config.extra);
}

}  // namespace

Result<void> apply_session_update(SessionConfig& config, const json::object& session, bool voice_locked)
{
    std::optional<Error> mistake;
    SessionConfig changed = config;
    FieldReader reader(session, "session", mistake);
    read_type(reader, config);
    if (auto audio = reader.object("audio")) {
        read_input(*audio, changed, mistake);
        if (!config.transcription_only) read_output(*audio, changed, voice_locked, mistake);
        audio->refuse_others();
    }
    read_include(reader, changed.include);
    if (!config.transcription_only) read_realtime_members(reader, changed);
    reader.refuse_others(session_mends);
    if (mistake) return *mistake;
    config = std::move(changed);
    return {};
}

}  // namespace repartee::realtime
