#include "repartee/providers/voices.hpp"

#include "repartee/base/json.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <unordered_set>

namespace repartee::providers {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::size_t voices_max = 1000;
constexpr std::size_t aux_references_max = 20;
constexpr double speed_min = 0.25, speed_max = 4.0;

struct TextMember {
    std::string_view name;
    std::string Voice::* member;
};
constexpr TextMember text_members[] = {
    {"id", &Voice::id},
    {"name", &Voice::name},
    {"language", &Voice::language},
    {"description", &Voice::description},
    {"voice", &Voice::voice},
    {"ref_audio_path", &Voice::ref_audio_path},
    {"prompt_text", &Voice::prompt_text},
    {"prompt_lang", &Voice::prompt_lang},
    {"text_lang", &Voice::text_lang},
};

Error bad(std::string where, std::string message) { return Error{Code::invalid_value, std::move(message), std::move(where)}; }

Result<void> read_references(const json::value& value, const std::string& where, Voice& voice)
{
    const auto* list = value.if_array();
    if (!list || list->size() > aux_references_max)
        return bad(where, where + " must be a list of at most " + std::to_string(aux_references_max) + " paths.");
    for (const auto& path : *list) {
        if (!path.is_string()) return bad(where, where + " must hold paths only, each a string.");
        voice.aux_ref_audio_paths.emplace_back(path.get_string());
    }
    return {};
}

Result<void> read_member(std::string_view key, const json::value& value, const std::string& where, Voice& voice)
{
    if (value.is_null()) return {};
    const auto* text = std::ranges::find(text_members, key, &TextMember::name);
    if (text != std::end(text_members)) {
        if (!value.is_string()) return bad(where, where + " must be a string.");
        voice.*(text->member) = std::string(value.get_string());
        return {};
    }
    if (key == "aux_ref_audio_paths") return read_references(value, where, voice);
    if (key == "speed") {
        const double speed = value.is_number() ? value.to_number<double>() : 0;
        if (!(speed >= speed_min && speed <= speed_max)) return bad(where, where + " must be a number from 0.25 to 4.");
        voice.speed = speed;
        return {};
    }
    std::string known;
    for (const auto& member : text_members) known.append(member.name).append(", ");
    return bad(where, "A voice has no member " + quoted(key) + " (" + where + "). Known: " + known + "aux_ref_audio_paths, speed.");
}

Result<Voice> read_voice(const json::value& value, std::size_t index)
{
    const std::string where = "voices[" + std::to_string(index) + "]";
    const auto* members = value.if_object();
    if (!members) return bad(where, where + " must be an object with an \"id\".");
    Voice voice;
    for (const auto& [key, member] : *members) {
        const std::string_view name(key.data(), key.size());
        const auto read = read_member(name, member, where + "." + one_line(name, 60), voice);
        if (!read) return read.error();
    }
    if (voice.id.empty()) return bad(where + ".id", where + " has no \"id\". Characters name a voice by it.");
    return voice;
}

}  // namespace

VoiceList::VoiceList(std::vector<Voice> voices, std::string default_id) : voices_(std::move(voices)), default_id_(std::move(default_id)) {}

const Voice* VoiceList::find(std::string_view id) const
{
    for (const std::string& wanted : {lower_case(id), lower_case(default_id_)}) {
        if (wanted.empty()) continue;
        for (const Voice& voice : voices_)
            if (lower_case(voice.id) == wanted) return &voice;
    }
    return nullptr;
}

Result<VoiceList> parse_voices(std::string_view json_text)
{
    if (json_text.size() > file_bytes_max) return bad("", "The file of voices is larger than 1 MiB. Keep it to what is used.");
    auto document = json::parse_object(json_text);
    if (!document) return document.error();
    for (const auto& [key, value] : *document) {
        const std::string_view name(key.data(), key.size());
        if (name != "default_voice_id" && name != "voices")
            return bad(one_line(name, 60), "The file of voices has no member " + quoted(name) + ". Known: default_voice_id, voices.");
    }
    const auto* list = json::find_array(*document, "voices");
    if (!list) return bad("voices", "The file of voices needs a list \"voices\", e.g. {\"voices\":[{\"id\":\"jihun\",\"voice\":\"sage\"}]}.");
    if (list->size() > voices_max) return bad("voices", "The file of voices holds more than 1000. Keep it to what is used.");

    std::vector<Voice> voices;
    std::unordered_set<std::string> ids;
    for (const auto& value : *list) {
        auto voice = read_voice(value, voices.size());
        if (!voice) return voice.error();
        if (!ids.insert(lower_case(voice->id)).second)
            return bad("voices", "Two voices have the id " + quoted(voice->id) + ". Ids differ in more than their case.");
        voices.push_back(std::move(*voice));
    }
    std::string default_id;
    if (const auto* value = json::find(*document, "default_voice_id")) {
        if (!value->is_string()) return bad("default_voice_id", "default_voice_id must be a string: the id of a voice.");
        default_id = std::string(value->get_string());
    }
    if (!default_id.empty() && !ids.contains(lower_case(default_id)))
        return bad("default_voice_id", "default_voice_id names " + quoted(default_id) + ", and there is no such voice.");
    return VoiceList(std::move(voices), std::move(default_id));
}

}  // namespace repartee::providers
