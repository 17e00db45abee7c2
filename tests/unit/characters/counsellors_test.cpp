#include "repartee/base/quoted.hpp"
#include "repartee/characters/catalogue.hpp"
#include "repartee/characters/files.hpp"
#include "repartee/characters/persona.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

using namespace repartee::characters;
using Catch::Matchers::Contains;

namespace {

/// The table the counsellors were ordered by.
struct Ordered {
    const char *id, *name, *name_en, *gender, *age_range, *specialty;
    int years;
    const char* voice;
    std::vector<const char*> prompt_says;  ///< what each must refuse or refer
};

const Ordered ordered[] = {
    {"park_jihoon", "박지훈", "Park Jihoon", "남성", "50대 중반", "내과", 20, "sage", {"119", "가슴 통증", "하시는 게 좋습니다"}},
    {"choi_hyunwoo", "최현우", "Choi Hyunwoo", "남성", "40대 초반", "정신건강의학과", 15, "echo", {"1577-0199", "항우울제", "수면제", "죽고 싶다"}},
    {"oh_kyungmi", "오경미", "Oh Kyungmi", "여성", "30대 중반", "임상영양사", 12, "cedar", {"1200", "상표", "진단"}},
    {"lee_soojin", "이수진", "Lee Soojin", "여성", "40대 중반", "여성건강 전문의", 18, "marin", {"호르몬", "임신에 관한 조언은 하지 않습니다", "산부인과 진단을 하지 않습니다"}},
    {"park_eunseo", "박은서", "Park Eunseo", "남성", "40대 초반", "소아청소년과", 15, "shimmer", {"응급실", "해열제", "항생제"}},
    {"jung_yujin", "정유진", "Jung Yujin", "여성", "60대 초반", "노인의학과", 25, "alloy", {"치매인지 아닌지", "약을 바꾸", "요양원"}},
};

const Snapshot& counsellors()
{
    static const Snapshot snapshot = [] {
        auto loaded = load_directory(std::filesystem::path(REPARTEE_SOURCE_DIR) / "assets" / "characters");
        return Snapshot(loaded ? std::move(loaded->characters) : std::vector<Character>{});
    }();
    return snapshot;
}

bool ends_sentence(char c) { return c == '.' || c == '?' || c == '!'; }

int count_sentences(const std::string& text)
{
    int count = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (ends_sentence(text[i]) && (i + 1 == text.size() || text[i + 1] == ' ')) ++count;
    return count;
}

/// Syllables of Hangul (U+AC00…U+D7A3): what a voice takes its time for.
int count_syllables(const std::string& text)
{
    int count = 0;
    for (std::size_t i = 0; i + 2 < text.size(); ++i) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        if ((byte(i) & 0xF0) != 0xE0) continue;
        const int code = (byte(i) & 0x0F) << 12 | (byte(i + 1) & 0x3F) << 6 | (byte(i + 2) & 0x3F);
        if (code >= 0xAC00 && code <= 0xD7A3) ++count;
    }
    return count;
}

/// What a voice can say without guessing: no digits, Latin letters, mark-up or emoji.
bool speakable(const std::string& text)
{
    const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
        const bool latin = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return latin || (c >= '0' && c <= '9') || std::string_view("*#_`~<>[]{}()|/\n\t").find(c) != std::string_view::npos || (c & 0xF8) == 0xF0;
    });
    return plain && !text.empty() && ends_sentence(text.back());
}

}  // namespace

TEST_CASE("every shipped character file loads")
{
    const auto loaded = load_directory(std::filesystem::path(REPARTEE_SOURCE_DIR) / "assets" / "characters");
    REQUIRE(loaded.has_value());
    for (const FileProblem& problem : loaded->problems) FAIL_CHECK(problem.file + ": " + problem.error.message);
    CHECK(loaded->characters.size() >= std::size(ordered));
}

TEST_CASE("the six counsellors are as ordered")
{
    for (const Ordered& expected : ordered) {
        CAPTURE(expected.id);
        const Character* character = counsellors().find(expected.id);
        REQUIRE(character);
        CHECK(character->name == expected.name);
        CHECK(character->name_en == expected.name_en);
        CHECK(character->gender == expected.gender);
        CHECK(character->age_range == expected.age_range);
        CHECK(character->specialty == expected.specialty);
        CHECK(character->experience_years == expected.years);
        CHECK(character->openai_voice == expected.voice);
        CHECK(character->language == "ko");
        CHECK(character->category == "건강 상담");
        CHECK(character->introduction_audio_url.empty());
        for (const std::string* text : {&character->specialty_detail, &character->personality, &character->conversation_style})
            CHECK_FALSE(text->empty());
    }
}

TEST_CASE("the counsellors' prompts say what they refuse, where they refer, how they take turns and how they end")
{
    for (const Ordered& expected : ordered) {
        CAPTURE(expected.id);
        const Character* character = counsellors().find(expected.id);
        REQUIRE(character);
        const std::string& prompt = character->system_prompt;
        CHECK(repartee::utf8_characters(prompt) >= 1500);
        CHECK(repartee::utf8_characters(prompt) <= 2500);
        for (const char* words : expected.prompt_says) CHECK_THAT(prompt, Contains(words));
        CHECK_THAT(prompt, Contains("두 문장에서 네 문장") && Contains("여섯 문장") && Contains("열린 질문"));
        CHECK_THAT(prompt, Contains("진단") && Contains("처방"));
        CHECK_THAT(prompt, Contains("119") && Contains("일일구") && Contains("1577-0199") && Contains("일오칠칠 공일구구"));
        CHECK_THAT(prompt, Contains("인공지능 상담 캐릭터라고 솔직하게"));
        CHECK_THAT(prompt, Contains(character->sample_dialogue) && Contains(character->closing_line));
        CHECK_THAT(build_instructions(*character), Catch::StartsWith(prompt));
    }
}

TEST_CASE("the counsellors' introductions can be spoken and last twenty to thirty seconds")
{
    for (const Ordered& expected : ordered) {
        CAPTURE(expected.id);
        const Character* character = counsellors().find(expected.id);
        REQUIRE(character);
        const std::string& text = character->introduction_text;
        CHECK(count_sentences(text) >= 4);
        CHECK(count_sentences(text) <= 6);
        // Five to six and a half syllables a second, pauses included.
        CHECK(count_syllables(text) >= 115);
        CHECK(count_syllables(text) <= 175);
        CHECK(speakable(text));
        CHECK_THAT(text, Contains(character->name));
        CHECK(speakable(character->closing_line));
    }
}

TEST_CASE("the counsellors' offline lines are short, speakable, honest at once, and name the emergency early")
{
    for (const Ordered& expected : ordered) {
        CAPTURE(expected.id);
        const Character* character = counsellors().find(expected.id);
        REQUIRE(character);
        const auto& lines = character->offline_lines;
        REQUIRE(lines.size() >= 8);
        CHECK(lines.size() <= 10);
        for (const std::string& line : lines) {
            CAPTURE(line);
            CHECK(count_sentences(line) >= 1);
            CHECK(count_sentences(line) <= 3);
            CHECK(speakable(line));
        }
        CHECK_THAT(lines[0], Catch::StartsWith("안녕하세요") && Contains(character->name));
        CHECK_THAT(lines[0], Contains("인공지능 서비스가 연결되어 있지 않아서") && Contains("연습"));
        CHECK_THAT(lines[1], Contains("일일구") || Contains("일오칠칠 공일구구") || Contains("응급실"));
        CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == lines.size());
    }
}

TEST_CASE("the counsellors' embedded voices differ, women above men")
{
    std::set<std::pair<double, double>> voices;
    for (const Ordered& expected : ordered) {
        CAPTURE(expected.id);
        const Character* character = counsellors().find(expected.id);
        REQUIRE(character);
        const EmbeddedVoice& voice = character->embedded_voice;
        voices.emplace(voice.pitch, voice.speed);
        if (character->gender == "여성")
            CHECK(voice.pitch > 1.2);
        else
            CHECK(voice.pitch < 1);
    }
    CHECK(voices.size() == std::size(ordered));
}
