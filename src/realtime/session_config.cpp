#include "repartee/realtime/session_config.hpp"

#include "session_parts.hpp"

namespace repartee::realtime {
namespace {

// OpenAI's schema has no null for these two in the server's copy: off means absent.
void add_unless_null(json::object& o, std::string_view key, const json::value& v)
{
    if (!v.is_null()) o.emplace(boost::json::string_view(key.data(), key.size()), v);
}

// A transcription session never responds, so its copy has only what finds the turns.
json::value turn_detection_to_json(const SessionConfig& config)
{
    json::value v = to_json(config.turn_detection);
    if (json::object* o = v.if_object(); o && config.transcription_only)
        for (const char* key : {"create_response", "interrupt_response", "idle_timeout_ms"}) o->erase(key);
    return v;
}

json::object input_to_json(const SessionConfig& config)
{
    json::object input;
    input.emplace("format", to_json(config.input_format));
    add_unless_null(input, "transcription", config.input_transcription);
    add_unless_null(input, "noise_reduction", config.noise_reduction);
    input.emplace("turn_detection", turn_detection_to_json(config));
    return input;
}

json::object transcription_to_json(const SessionConfig& config)
{
    json::object session;
    session.emplace("type", "transcription");
    session.emplace("object", "realtime.transcription_session");
    session.emplace("id", config.id);
    session.emplace("audio", json::object{{"input", input_to_json(config)}});
    add_unless_null(session, "include", config.include);
    session.emplace("expires_at", config.expires_at);
    return session;
}

}  // namespace

json::object to_json(const SessionConfig& config)
{
    if (config.transcription_only) return transcription_to_json(config);
    json::object output;
    output.emplace("format", to_json(config.output_format));
    output.emplace("voice", config.voice);
    output.emplace("speed", config.speed);

    json::object session;
    session.reserve(18);
    session.emplace("type", "realtime");
    session.emplace("object", "realtime.session");
    session.emplace("id", config.id);
    session.emplace("model", config.model);
    session.emplace("output_modalities", output_modalities(config.audio_output));
    session.emplace("instructions", config.instructions);
    session.emplace("tools", config.tools);
    session.emplace("tool_choice", config.tool_choice);
    session.emplace("max_output_tokens", config.max_output_tokens);
    session.emplace("tracing", config.tracing);
    session.emplace("truncation", config.truncation);
    session.emplace("prompt", config.prompt);
    session.emplace("expires_at", config.expires_at);
    session.emplace("audio", json::object{{"input", input_to_json(config)}, {"output", std::move(output)}});
    add_unless_null(session, "include", config.include);
    for (const auto& member : config.extra) session.emplace(member.key(), member.value());
    return session;
}

}  // namespace repartee::realtime
