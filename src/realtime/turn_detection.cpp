#include "session_parts.hpp"

#include <array>

namespace repartee::realtime {
namespace {

constexpr std::array<std::string_view, 2> types = {"server_vad", "semantic_vad"};
constexpr std::array<std::string_view, 4> eagerness_words = {"low", "medium", "high", "auto"};

constexpr std::array<Mend, 1> semantic_mends = {{{"threshold", "It belongs to server_vad; semantic_vad has 'eagerness'."}}};
constexpr std::array<Mend, 1> server_mends = {{{"eagerness", "It belongs to semantic_vad; server_vad has 'silence_duration_ms'."}}};

std::string_view type_word(TurnDetection::Type type) { return type == TurnDetection::Type::semantic_vad ? "semantic_vad" : "server_vad"; }

TurnDetection fresh(TurnDetection::Type type)
{
    TurnDetection defaults;
    defaults.type = type;
    return defaults;
}

void read_idle_timeout(FieldReader& reader, std::optional<std::int64_t>& idle_timeout_ms)
{
    const json::value* v = reader.get("idle_timeout_ms");
    if (!v) return;
    if (v->is_null()) {
        idle_timeout_ms.reset();
        return;
    }
    std::int64_t limit_ms = 0;
    reader.read("idle_timeout_ms", limit_ms, 5'000, 30'000);
    idle_timeout_ms = limit_ms;
}

}  // namespace

json::value to_json(const TurnDetection& turn_detection)
{
    if (turn_detection.type == TurnDetection::Type::none) return nullptr;
    json::object o;
    const std::string_view type = type_word(turn_detection.type);
    o.emplace("type", boost::json::string_view(type.data(), type.size()));
    if (turn_detection.type == TurnDetection::Type::semantic_vad) {
        o.emplace("eagerness", turn_detection.eagerness);
    } else {
        o.emplace("threshold", turn_detection.threshold);
        o.emplace("prefix_padding_ms", turn_detection.prefix_padding_ms);
        o.emplace("silence_duration_ms", turn_detection.silence_duration_ms);
        o.emplace("idle_timeout_ms", turn_detection.idle_timeout_ms ? json::value(*turn_detection.idle_timeout_ms) : json::value(nullptr));
    }
    o.emplace("create_response", turn_detection.create_response);
    o.emplace("interrupt_response", turn_detection.interrupt_response);
    return o;
}

TurnDetection turn_detection_over(const json::value& v, const TurnDetection& present, const std::string& path,
                                  std::optional<Error>& first_error)
{
    if (v.is_null()) return fresh(TurnDetection::Type::none);
    const json::object* object = v.if_object();
    if (!object) {
        std::string message = "Invalid type for '" + path + "': send an object, e.g. {\"type\":\"server_vad\"}, or null for push-to-talk.";
        if (!first_error) first_error = Error{Code::invalid_value, std::move(message), path};
        return present;
    }
    FieldReader reader(*object, path, first_error);
    std::string word;
    reader.required("type");
    reader.read_word("type", word, types);
    const auto type = word == "semantic_vad" ? TurnDetection::Type::semantic_vad : TurnDetection::Type::server_vad;
    TurnDetection result = type == present.type ? present : fresh(type);

    reader.read("create_response", result.create_response);
    reader.read("interrupt_response", result.interrupt_response);
    if (type == TurnDetection::Type::semantic_vad) {
        reader.read_word("eagerness", result.eagerness, eagerness_words);
        reader.refuse_others(semantic_mends);
        return result;
    }
    reader.read("threshold", result.threshold, 0.0, 1.0);
    reader.read("prefix_padding_ms", result.prefix_padding_ms, 0, 10'000);
    reader.read("silence_duration_ms", result.silence_duration_ms, 0, 30'000);
    read_idle_timeout(reader, result.idle_timeout_ms);
    reader.refuse_others(server_mends);
    return result;
}

Result<TurnDetection> read_turn_detection(const json::value& v, const TurnDetection& present, std::string_view path)
{
    std::optional<Error> mistake;
    TurnDetection result = turn_detection_over(v, present, std::string(path), mistake);
    if (mistake) return *mistake;
    return result;
}

}  // namespace repartee::realtime
