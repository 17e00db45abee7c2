#include "repartee/characters/character.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::characters;

namespace {

json::object minimal()
{
    return {{"id", "mina"}, {"name", "미나"}, {"openai_voice", "Cedar"}, {"personality", "밝다"}, {"introduction_text", "안녕하세요."}};
}

Result<Character> parse(const json::object& object) { return parse_character(json::to_text(object)); }

template <class Value>
Result<Character> parse_with(std::string_view field, const Value& value)
{
    json::object object = minimal();
    object[field] = value;
    return parse(object);
}

void check_refused(const Result<Character>& parsed, Code code, std::string_view param)
{
    CAPTURE(param);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == code);
    CHECK(parsed.error().param == param);
    CHECK_FALSE(parsed.error().message.empty());
}

}  // namespace

TEST_CASE("a character with every field set comes back equal from its JSON")
{
    const Character character = full_character("every_field_1");
    const auto parsed = parse_character(json::to_text(to_json(character, true)));
    REQUIRE(parsed.has_value());
    CHECK(*parsed == character);
}

TEST_CASE("JSON without the prompt has every other field, empty ones too")
{
    Character character;
    character.system_prompt = "secret";
    const json::object shown = to_json(character, false);
    const json::object whole = to_json(character, true);
    CHECK_FALSE(shown.contains("system_prompt"));
    CHECK(shown.size() + 1 == whole.size());
    for (const TextField& field : text_fields) CHECK(whole.contains(field.name));
    for (const ListField& field : list_fields) CHECK(whole.at(field.name).is_array());
    CHECK(whole.contains("experience_years"));
    CHECK(whole.contains("embedded_voice"));
    CHECK(whole.contains("is_preset"));
}

TEST_CASE("the least a character needs is taken, with defaults for the rest and the voice in lower case")
{
    const auto parsed = parse(minimal());
    REQUIRE(parsed.has_value());
    CHECK(parsed->openai_voice == "cedar");
    CHECK(parsed->language == "ko");
    CHECK(parsed->embedded_voice == EmbeddedVoice{1, 1});
    CHECK(parsed->is_preset);
}

TEST_CASE("each required field is asked for by name when absent, null or empty")
{
    const std::string field = GENERATE("id", "name", "openai_voice", "introduction_text");
    json::object without = minimal();
    without.erase(field);
    check_refused(parse(without), Code::missing_required_parameter, field);
    check_refused(parse_with(field, nullptr), Code::missing_required_parameter, field);
    check_refused(parse_with(field, ""), Code::missing_required_parameter, field);
}

TEST_CASE("a character needs a system prompt or a personality")
{
    json::object neither = minimal();
    neither.erase("personality");
    check_refused(parse(neither), Code::missing_required_parameter, "system_prompt");
    neither["system_prompt"] = "You are Mina.";
    CHECK(parse(neither).has_value());
}

TEST_CASE("null reads as absent for known fields only")
{
    CHECK(parse_with("likes", nullptr).has_value());
    CHECK(parse_with("experience_years", nullptr).has_value());
    CHECK(parse_with("embedded_voice", json::object{{"pitch", nullptr}}).has_value());
    check_refused(parse_with("persona", nullptr), Code::unknown_parameter, "persona");
}

TEST_CASE("unknown fields are refused by name")
{
    check_refused(parse_with("nmae", "x"), Code::unknown_parameter, "nmae");
    check_refused(parse_with("embedded_voice", json::object{{"volume", 1}}), Code::unknown_parameter, "embedded_voice.volume");
}

TEST_CASE("wrong types are refused with the field's name")
{
    check_refused(parse_with("name", 3), Code::invalid_value, "name");
    check_refused(parse_with("likes", "tea"), Code::invalid_value, "likes");
    check_refused(parse_with("likes", json::array{"tea", 3}), Code::invalid_value, "likes[1]");
    check_refused(parse_with("likes", json::array{nullptr}), Code::invalid_value, "likes[0]");
    check_refused(parse_with("is_preset", 1), Code::invalid_value, "is_preset");
    check_refused(parse_with("experience_years", "12"), Code::invalid_value, "experience_years");
    check_refused(parse_with("embedded_voice", 1.2), Code::invalid_value, "embedded_voice");
    check_refused(parse_with("embedded_voice", json::object{{"speed", "fast"}}), Code::invalid_value, "embedded_voice.speed");
}

TEST_CASE("values out of range are refused")
{
    check_refused(parse_with("experience_years", -1), Code::invalid_value, "experience_years");
    check_refused(parse_with("experience_years", 101), Code::invalid_value, "experience_years");
    check_refused(parse_with("experience_years", 1.5), Code::invalid_value, "experience_years");
    check_refused(parse_with("embedded_voice", json::object{{"pitch", 0.49}}), Code::invalid_value, "embedded_voice.pitch");
    check_refused(parse_with("embedded_voice", json::object{{"speed", 2.01}}), Code::invalid_value, "embedded_voice.speed");
    check_refused(parse_with("language", "korean"), Code::invalid_value, "language");
    check_refused(parse_with("language", "k"), Code::invalid_value, "language");
    check_refused(parse_with("id", "Mina"), Code::invalid_value, "id");
    check_refused(parse_with("id", "../mina"), Code::invalid_value, "id");
    check_refused(parse_with("id", "미나"), Code::invalid_value, "id");
    check_refused(parse_with("openai_voice", "ce dar"), Code::invalid_value, "openai_voice");
    check_refused(parse_with("name", std::string("Mi\0na", 5)), Code::invalid_value, "name");
}

TEST_CASE("every text is taken at its longest and refused one character beyond")
{
    for (const TextField& field : text_fields) {
        if (field.name == "language" || field.name.ends_with("_provider")) continue;
        CHECK(parse_with(field.name, std::string(field.max_chars, 'a')).has_value());
        check_refused(parse_with(field.name, std::string(field.max_chars + 1, 'a')), Code::invalid_value, field.name);
    }
}

TEST_CASE("a character chooses among the sections of the configuration, each role among its own")
{
    for (const std::string role : {"stt", "llm", "tts"}) {
        const std::string field = role + "_provider";
        for (const char* good : {"", "_2", "_3"}) CHECK(parse_with(field, role + good).has_value());
        CHECK(parse_with(field, "").has_value());
        for (const std::string& bad : {role + "_1", role + "_4", role + "_22", role + "2", role + " ",
                                       std::string("https://elsewhere.example/v1"), std::string("openai")})
            check_refused(parse_with(field, bad), Code::invalid_value, field);
        check_refused(parse_with(field, role == "llm" ? "tts" : "llm"), Code::invalid_value, field);
        CHECK(parse_with(role + "_model", "org/model:7b-q4").has_value());
        check_refused(parse_with(role + "_model", "a\nb"), Code::invalid_value, role + "_model");
    }
}

TEST_CASE("lengths count characters, not bytes")
{
    std::string name;
    for (std::size_t i = 0; i < short_text_chars; ++i) name += "가";
    CHECK(parse_with("name", name).has_value());
    check_refused(parse_with("name", name + "나"), Code::invalid_value, "name");
}

TEST_CASE("every list is taken at its longest and refused one item beyond")
{
    for (const ListField& field : list_fields) {
        json::array items(field.max_items, "x");
        CHECK(parse_with(field.name, items).has_value());
        items.emplace_back("x");
        check_refused(parse_with(field.name, items), Code::invalid_value, field.name);
        const json::array long_item{std::string(field.max_item_chars + 1, 'x')};
        check_refused(parse_with(field.name, long_item), Code::invalid_value, std::string(field.name) + "[0]");
    }
}

TEST_CASE("what is not a JSON object is refused")
{
    for (const char* text : {"", "[]", "{", "{\"id\":\"\xff\"}", "{} {}"}) {
        CAPTURE(text);
        const auto parsed = parse_character(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == Code::invalid_json);
    }
}
