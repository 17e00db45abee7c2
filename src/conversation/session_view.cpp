#include "session_view.hpp"

#include "repartee/audio/pcm.hpp"

namespace repartee::conversation {
namespace {

json::object format_of(int hz) { return {{"type", "audio/pcm"}, {"rate", hz}}; }

}  // namespace

void overlay(json::object& session, const json::object& update)
{
    for (const auto& [key, value] : update) {
        json::value& member = session[key];
        const bool has_parts = key == "audio" || key == "input" || key == "output";
        if (has_parts && member.is_object() && value.is_object())
            overlay(member.get_object(), value.get_object());
        else if (!has_parts || !member.is_object())  // what has parts is not taken away by null
            member = value;
    }
}

json::object wanted_session(const SessionSettings& settings)
{
    json::object input{{"format", format_of(audio::realtime_hz)}, {"turn_detection", to_json(settings.turn_detection)}};
    if (!settings.transcription_model.empty()) {
        json::object transcription{{"model", settings.transcription_model}};
        if (!settings.language.empty()) transcription["language"] = settings.language;
        input["transcription"] = std::move(transcription);
    }
    if (!settings.noise_reduction.empty()) input["noise_reduction"] = json::object{{"type", settings.noise_reduction}};
    json::object output{{"format", format_of(audio::realtime_hz)}, {"voice", settings.voice}};
    json::object session{{"type", "realtime"},
                         {"output_modalities", json::array{"audio"}},
                         {"instructions", ""},
                         {"audio", json::object{{"input", std::move(input)}, {"output", std::move(output)}}}};
    if (settings.output_tokens_max > 0) session["max_output_tokens"] = settings.output_tokens_max;
    return session;
}

json::object client_view(json::object session, const SessionSettings& settings, const Persona& persona)
{
    session["object"] = "realtime.session";
    session["id"] = settings.id;
    session["character_id"] = settings.character_id;
    session.erase("resume");  // a service's own is not for our client
    persona.hide(session);
    json::value& audio = session["audio"];
    if (!audio.is_object()) audio = json::object{};
    for (const char* direction : {"input", "output"}) {
        json::value& side = audio.get_object()[direction];
        if (!side.is_object()) side = json::object{};
        side.get_object()["format"] = format_of(direction == std::string_view("input") ? settings.input_hz : settings.downlink.output_hz);
    }
    const json::value* voice = json::find(session, "audio.output.voice");
    session["voice"] = voice ? *voice : json::value(settings.voice);
    const auto& lead = settings.downlink.lead;
    session["pacing"] = lead ? json::object{{"enabled", true}, {"lead_ms", lead->count()}} : json::object{{"enabled", false}};
    return session;
}

}  // namespace repartee::conversation
