#include "repartee/providers/text.hpp"
#include "repartee/voice/voice_chat.hpp"

#include <array>

namespace repartee::voice {
namespace {

constexpr std::array<std::string_view, 4> classes{"general_question", "complaint", "order_status", "other"};

// Parts of words, lower case: Korean words change their endings, English ones get an s or an ed.
constexpr std::string_view complaint_words[] = {"불만", "고장", "화가 나", "화나", "최악", "환불해", "안 돼요", "안돼요", "엉망", "실망", "망가", "불친절", "짜증", "항의", "파손",
                                                "complain", "broken", "refund", "terrible", "awful", "worst", "angry", "unacceptable", "disappoint",
                                                "defective", "damaged", "does not work", "doesn't work", "not working"};
constexpr std::string_view order_words[] = {"배송", "주문", "언제 도착", "언제 와", "택배", "환불 상태", "운송장", "발송", "출고",
                                            "my order", "order number", "order status", "delivery", "delivered", "shipped", "shipping", "shipment",
                                            "tracking", "parcel", "package", "where is my", "did my order", "an order", "the order", "i ordered"};
constexpr std::string_view question_words[] = {"무엇", "뭐", "어떻게", "어디", "언제", "누구", "왜", "얼마", "몇", "나요", "까요", "인가요", "습니까", "알려", "궁금"};
constexpr std::string_view english_question_words[] = {"what",    "how",       "where",  "when",     "who",     "why",    "which",
                                                       "can you", "could you", "do you", "is there", "are you", "tell me"};

bool is_word_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// At the start of an English word only: "border" is no "order". Korean words have no such starts: what comes before belongs to them.
bool contains_word(std::string_view text, std::string_view word)
{
    const bool english = is_word_letter(word.front());
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
        if (!english || at == 0 || !is_word_letter(text[at - 1])) return true;
    return false;
}

template <std::size_t N>
bool contains_any(std::string_view text, const std::string_view (&words)[N])
{
    for (const std::string_view word : words)
        if (contains_word(text, word)) return true;
    return false;
}

}  // namespace

std::string_view classify_by_words(std::string_view heard)
{
    const std::string text = providers::lower_case(heard);
    if (contains_any(text, complaint_words)) return "complaint";
    if (contains_any(text, order_words)) return "order_status";
    if (text.find('?') != std::string::npos || text.find("？") != std::string::npos) return "general_question";
    if (contains_any(text, question_words) || contains_any(text, english_question_words)) return "general_question";
    return "other";
}

std::optional<std::string_view> read_class(std::string_view model_answer)
{
    std::string text = providers::lower_case(model_answer);
    for (char& c : text)
        if (c == ' ' || c == '-') c = '_';
    // Several of them: it repeats the choice instead of making it.
    std::optional<std::string_view> found;
    for (const std::string_view name : classes) {
        for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
            const auto is_letter = [&](std::size_t i) { return i < text.size() && text[i] >= 'a' && text[i] <= 'z'; };
            if ((at > 0 && is_letter(at - 1)) || is_letter(at + name.size())) continue;
            if (found && *found != name) return std::nullopt;
            found = name;
        }
    }
    return found;
}

}  // namespace repartee::voice
