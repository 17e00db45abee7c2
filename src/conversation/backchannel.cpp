#include "repartee/conversation/backchannel.hpp"

#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace repartee::conversation {
namespace {

using namespace std::string_view_literals;

// Compared as words_of() levels them.
constexpr std::array backchannels{
    "응"sv, "으응"sv, "웅"sv, "엉"sv, "어"sv, "아"sv, "오"sv, "와"sv, "우와"sv, "음"sv, "으음"sv, "흠"sv, "흐음"sv, "아하"sv, "오호"sv, "하"sv, "허"sv, "헐"sv,
    "ㅇ"sv, "ㅋ"sv, "ㅎ"sv, "ㅇㅋ"sv, "네"sv, "네에"sv, "넵"sv, "넹"sv, "예"sv, "옙"sv, "그래"sv, "그래요"sv, "그래서"sv, "그렇구나"sv, "그렇군요"sv, "그렇죠"sv,
    "그렇지"sv, "그러게"sv, "그러게요"sv, "그러네"sv, "그러네요"sv, "그치"sv, "그쵸"sv, "그죠"sv, "맞아"sv, "맞아요"sv, "맞네"sv, "맞네요"sv, "맞습니다"sv, "알겠어"sv,
    "알겠어요"sv, "진짜"sv, "진짜요"sv, "정말"sv, "정말요"sv, "오케이"sv,
    "m"sv, "hm"sv, "mhm"sv, "mh"sv, "uh"sv, "huh"sv, "uhuh"sv, "um"sv, "er"sv, "ah"sv, "aha"sv, "oh"sv, "ok"sv, "okay"sv, "k"sv, "yeah"sv, "yea"sv,
    "yep"sv, "yup"sv, "yes"sv, "ya"sv, "right"sv, "sure"sv, "really"sv, "exactly"sv, "wow"sv, "ha"sv, "haha"sv, "heh"sv, "hehe"sv, "true"sv, "cool"sv,
    "i see"sv, "got it"sv, "of course"sv, "go on"sv,
};
constexpr std::array stops{
    "그만"sv, "그만해"sv, "그만해요"sv, "그만하세요"sv, "그만하자"sv, "잠깐"sv, "잠깐만"sv, "잠깐만요"sv, "잠시만"sv, "잠시만요"sv, "멈춰"sv, "멈춰요"sv, "멈춰줘"sv,
    "스톱"sv, "스탑"sv, "기다려"sv, "기다려봐"sv, "기다려요"sv, "조용"sv, "조용히"sv, "조용히해"sv, "됐어"sv, "됐어요"sv,
    "stop"sv, "wait"sv, "pause"sv, "quiet"sv, "enough"sv, "hold on"sv, "hang on"sv, "shut up"sv, "be quiet"sv, "stop it"sv,
    "one second"sv, "one moment"sv,
};
// What transcribers are known to write for silence and noise.
constexpr std::array noises{"you"sv, "thanks for watching"sv, "thank you for watching"sv, "시청해 주셔서 감사합니다"sv, "구독과 좋아요 부탁드립니다"sv};

// "Oh, wait a moment" is a wish; in a longer sentence the word may mean anything.
constexpr std::size_t stop_words_max = 3;
// A whole transcript of a short utterance is much shorter.
constexpr std::size_t judged_bytes_max = 200;

std::uint32_t code_point(std::string_view character)
{
    const auto lead = static_cast<unsigned char>(character.front());
    if (character.size() == 1) return lead;
    std::uint32_t value = lead & (0xFFU >> (character.size() + 1));
    for (const char c : character.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3FU);
    return value;
}

bool belongs_to_a_word(std::uint32_t c)
{
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c < 0xC0 || c == 0xD7 || c == 0xF7) return false;
    const bool punctuation_or_sign = (c >= 0x2000 && c < 0x2C00) || (c >= 0x3000 && c < 0x3040) || (c >= 0xFE00 && c < 0xFE70) ||
                                     (c >= 0xFF00 && c < 0xFF10) || (c >= 0xFF1A && c < 0xFF21) || c >= 0x1F000;
    return !punctuation_or_sign;
}

/// Words in lower case without punctuation, equal neighbouring characters levelled ("응응응" → "응", "hmmm" → "hm"); what stands in brackets or between
/// asterisks is a description of a sound.
std::vector<std::string> words_of(std::string_view text)
{
    std::vector<std::string> words;
    std::string word;
    std::string_view previous;
    char closing = 0;
    const auto end_word = [&] {
        if (!word.empty()) words.push_back(std::exchange(word, {}));
        previous = {};
    };
    while (!text.empty()) {
        const std::size_t bytes = std::max<std::size_t>(1, utf8_character_bytes(text));
        const std::string_view character = text.substr(0, bytes);
        text.remove_prefix(bytes);
        const char ascii = bytes == 1 ? character.front() : '\0';
        if (closing) {
            if (ascii == closing) closing = 0;
            continue;
        }
        const char opens = ascii == '[' ? ']' : ascii == '(' ? ')' : ascii == '<' ? '>' : ascii == '*' ? '*' : '\0';
        if (opens && text.find(opens) != std::string_view::npos) {
            closing = opens;
            end_word();
        } else if (ascii == '\'' && !word.empty()) {
            continue;
        } else if (!belongs_to_a_word(code_point(character))) {
            end_word();
        } else if (ascii >= 'A' && ascii <= 'Z') {
            const char lower = static_cast<char>(ascii - 'A' + 'a');
            if (word.empty() || word.back() != lower) word += lower;
            previous = {};
        } else if (character != previous && !(bytes == 1 && !word.empty() && word.back() == ascii)) {
            word += character;
            previous = character;
        }
    }
    end_word();
    return words;
}

std::string join(const std::vector<std::string>& words)
{
    std::string joined;
    for (const std::string& word : words) joined += word;
    return joined;
}

using List = std::vector<std::string>;

template <std::size_t n>
List levelled(const std::array<std::string_view, n>& words)
{
    List list;
    for (const std::string_view word : words) list.push_back(join(words_of(word)));
    return list;
}

struct Lists {
    List backchannels = levelled(conversation::backchannels), stops = levelled(conversation::stops), noises = levelled(conversation::noises);
};

const Lists& lists()
{
    static const Lists once;
    return once;
}

bool holds(const List& list, std::string_view word) { return std::find(list.begin(), list.end(), word) != list.end(); }

/// "그래그래" is "그래" twice.
bool repeats(std::string_view word, std::string_view part)
{
    if (part.empty() || word.size() % part.size() != 0) return false;
    for (; !word.empty(); word.remove_prefix(part.size()))
        if (!word.starts_with(part)) return false;
    return true;
}

bool is_backchannel(std::string_view word)
{
    const List& known = lists().backchannels;
    return std::any_of(known.begin(), known.end(), [&](const std::string& part) { return repeats(word, part); });
}

}  // namespace

Said judge(std::string_view transcript)
{
    if (transcript.size() > judged_bytes_max) return Said::words;
    const std::vector<std::string> words = words_of(transcript);
    if (words.empty()) return Said::nothing;
    const std::string joined = join(words);
    const Lists& known = lists();
    if (holds(known.noises, joined)) return Said::nothing;
    if (holds(known.backchannels, joined) || std::all_of(words.begin(), words.end(), is_backchannel)) return Said::backchannel;
    const bool names_stop = words.size() <= stop_words_max && std::any_of(words.begin(), words.end(),
        [&](const std::string& word) { return holds(known.stops, word); });
    return names_stop || holds(known.stops, joined) ? Said::stop : Said::words;
}

}  // namespace repartee::conversation
