#include "repartee/characters/character.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/characters/fields.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace repartee::characters {
namespace {

constexpr int experience_years_max = 100;
constexpr double voice_factor_min = 0.5, voice_factor_max = 2;

Error invalid(std::string_view field, std::string_view rule)
{
    return Error{Code::invalid_value, fmt::format("Field \"{}\" {}", field, rule), std::string(field)};
}

Error unknown(std::string_view field)
{
    return Error{Code::unknown_parameter, fmt::format("Field \"{}\" is not a field of a character. Remove it or mend its spelling.", field),
                 std::string(field)};
}

bool has_control_character(std::string_view text)
{
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7F; });
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void make_lower(std::string& text)
{
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
}

Result<void> read_text(const json::value& from, std::string_view field, std::size_t max_chars, std::string& to)
{
    if (!from.is_string()) return invalid(field, "must be a string.");
    const auto& text = from.get_string();
    const std::string_view view(text.data(), text.size());
    if (utf8_characters(view) > max_chars) return invalid(field, fmt::format("is too long. Keep it within {} characters.", max_chars));
    if (has_control_character(view)) return invalid(field, "contains a control character. Only line breaks and tabs are accepted.");
    to = view;
    return {};
}

Result<void> read_list(const json::value& from, const ListField& field, std::vector<std::string>& to)
{
    if (!from.is_array()) return invalid(field.name, "must be a list of strings.");
    const json::array& items = from.get_array();
    if (items.size() > field.max_items) return invalid(field.name, fmt::format("has too many items. Keep it within {}.", field.max_items));
    for (std::size_t i = 0; i < items.size(); ++i) {
        const auto read = read_text(items[i], fmt::format("{}[{}]", field.name, i), field.max_item_chars, to.emplace_back());
        if (!read) return read.error();
    }
    return {};
}

Result<void> read_factor(const json::value& from, std::string_view field, double& to)
{
    const double factor = from.is_number() ? from.to_number<double>() : 0;
    if (!(factor >= voice_factor_min && factor <= voice_factor_max)) return invalid(field, "must be a number from 0.5 to 2.");
    // Thousandths: Boost.JSON may read a long decimal one bit off, and a value must come back equal from a file or the database.
    to = std::round(factor * 1000) / 1000;
    return {};
}

Result<void> read_voice(const json::value& from, EmbeddedVoice& to)
{
    if (!from.is_object()) return invalid("embedded_voice", "must be an object, e.g. {\"pitch\":1.2,\"speed\":0.9}.");
    for (const auto& [key, member] : from.get_object()) {
        const std::string name = fmt::format("embedded_voice.{}", std::string_view(key.data(), key.size()));
        double* factor = key == "pitch" ? &to.pitch : key == "speed" ? &to.speed : nullptr;
        if (!factor) return unknown(name);
        if (member.is_null()) continue;
        if (const auto read = read_factor(member, name, *factor); !read) return read.error();
    }
    return {};
}

bool is_field(std::string_view name)
{
    const auto same_name = [name](const auto& field) { return field.name == name; };
    return std::any_of(std::begin(text_fields), std::end(text_fields), same_name) ||
           std::any_of(std::begin(list_fields), std::end(list_fields), same_name) || name == "experience_years" ||
           name == "embedded_voice" || name == "is_preset";
}

Result<void> read_member(std::string_view name, const json::value& from, Character& to)
{
    for (const TextField& field : text_fields)
        if (name == field.name) return read_text(from, name, field.max_chars, to.*field.member);
    for (const ListField& field : list_fields)
        if (name == field.name) return read_list(from, field, to.*field.member);
    if (name == "embedded_voice") return read_voice(from, to.embedded_voice);
    if (name == "is_preset") {
        if (!from.is_bool()) return invalid(name, "must be true or false.");
        to.is_preset = from.get_bool();
        return {};
    }
    if (name == "experience_years") {
        const double years = from.is_number() ? from.to_number<double>() : -1;
        if (!(years >= 0 && years <= experience_years_max) || years != std::floor(years))
            return invalid(name, fmt::format("must be a whole number from 0 to {}.", experience_years_max));
        to.experience_years = static_cast<int>(years);
        return {};
    }
    return unknown(name);
}

Result<void> check_required(const Character& character)
{
    const auto missing = [](std::string_view field, std::string_view words) {
        return Error{Code::missing_required_parameter, fmt::format("A character needs {}. Add it.", words), std::string(field)};
    };
    if (character.id.empty()) return missing("id", "\"id\"");
    if (character.name.empty()) return missing("name", "\"name\"");
    if (character.openai_voice.empty()) return missing("openai_voice", "\"openai_voice\"");
    if (character.system_prompt.empty() && character.personality.empty())
        return missing("system_prompt", "\"system_prompt\" or \"personality\"");
    if (character.introduction_text.empty()) return missing("introduction_text", "\"introduction_text\"");
    return {};
}

/// "llm", "llm_2" or "llm_3" for the role "llm", or nothing: what is configured, and nothing of it.
bool is_section_of(std::string_view role, std::string_view section)
{
    if (section.empty() || section == role) return true;
    return section.size() == role.size() + 2 && section.starts_with(role) && (section.ends_with("_2") || section.ends_with("_3"));
}

Result<void> check_providers(const Character& character)
{
    struct Wish {
        std::string_view role, field;
        const std::string& section;
    };
    for (const Wish& wish : {Wish{"stt", "stt_provider", character.stt_provider}, Wish{"llm", "llm_provider", character.llm_provider},
                             Wish{"tts", "tts_provider", character.tts_provider}})
        if (!is_section_of(wish.role, wish.section))
            return invalid(wish.field, fmt::format("must name a section of the configuration: \"{0}\", \"{0}_2\" or \"{0}_3\". Leave it empty "
                                                   "to take what is configured.",
                                                   wish.role));
    using Model = std::pair<std::string_view, const std::string&>;
    for (const auto& [field, model] :
         {Model{"stt_model", character.stt_model}, Model{"llm_model", character.llm_model}, Model{"tts_model", character.tts_model}})
        if (model.find_first_of("\n\t") != model.npos) return invalid(field, "must be one line: a model's name.");
    return {};
}

Result<void> check_forms(const Character& character)
{
    const auto all = [](std::string_view text, auto accepted) { return std::all_of(text.begin(), text.end(), accepted); };
    if (!all(character.id, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; }))
        return invalid("id", "takes lower-case letters, digits and underscores only, e.g. \"park_jihoon\".");
    if (!all(character.openai_voice, [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; }))
        return invalid("openai_voice", "must be a voice name such as \"cedar\": letters, digits, underscores and hyphens.");
    if (character.language.size() != 2 || !all(character.language, is_lower))
        return invalid("language", "must be a two-letter language code (ISO 639-1), e.g. \"ko\".");
    return check_providers(character);
}

}  // namespace

json::object to_json(const Character& character, bool with_prompt)
{
    json::object out;
    for (const TextField& field : text_fields)
        if (with_prompt || field.member != &Character::system_prompt) out[field.name] = character.*field.member;
    out["experience_years"] = character.experience_years;
    out["embedded_voice"] = json::object{{"pitch", character.embedded_voice.pitch}, {"speed", character.embedded_voice.speed}};
    out["is_preset"] = character.is_preset;
    for (const ListField& field : list_fields) {
        const auto& items = character.*field.member;
        out[field.name] = json::array(items.begin(), items.end());
    }
    return out;
}

Result<Character> parse_character(std::string_view json_text)
{
    const auto parsed = json::parse_object(json_text);
    if (!parsed) return parsed.error();
    Character character;
    for (const auto& [key, member] : *parsed) {
        const std::string_view name(key.data(), key.size());
        if (member.is_null()) {
            if (!is_field(name)) return unknown(name);  // null reads as absent, but a misspelt field is refused whatever it holds
            continue;
        }
        if (const auto read = read_member(name, member, character); !read) return read.error();
    }
    make_lower(character.openai_voice);
    make_lower(character.language);
    if (const auto complete = check_required(character); !complete) return complete.error();
    if (const auto formed = check_forms(character); !formed) return formed.error();
    return character;
}

}  // namespace repartee::characters
