#include "lines.hpp"

namespace repartee::voice {

std::string_view default_agent(std::string_view language)
{
    if (language == "ko")
        return "당신은 전화를 받는 친절하고 침착한 상담원입니다. 고객이 음성으로 묻고, 당신의 답은 소리로 읽힙니다. "
               "두세 문장으로 짧고 분명하게 존댓말로 답하세요. 목록, 표, 마크다운, 이모지, 인터넷 주소는 쓰지 마세요. "
               "모르는 것은 지어내지 말고 모른다고 말한 뒤 무엇을 확인하면 되는지 알려 주세요. "
               "주문이나 배송처럼 기록을 봐야 하는 일에는 필요한 정보를 한 가지만 물어보세요. 불만에는 먼저 공감하고 다음에 할 일을 말하세요.";
    return "You are a friendly, calm service agent on the phone. People ask by voice, and your answer is read aloud. "
           "Answer in two or three short, clear sentences, in the language you are spoken to in. No lists, tables, mark-up, emoji or web addresses. "
           "Never make up what you do not know: say so, and say what could be checked. "
           "For anything that needs records, such as an order or a delivery, ask for the one piece of information you need. "
           "Meet a complaint with understanding first, then say what happens next.";
}

std::string_view not_understood_line(std::string_view language)
{
    if (language == "ko") return "죄송합니다. 잘 듣지 못했어요. 조금 더 가까이에서 다시 한 번 말씀해 주시겠어요?";
    return "Sorry, I did not catch that. Could you come a little closer and say it again, please?";
}

std::string_view interview_closing_line(std::string_view language)
{
    if (language == "ko") return "면접이 모두 끝났습니다. 좋은 이야기를 들려주셔서 감사합니다.";
    return "That was the last question. Thank you for the conversation.";
}

std::vector<std::string> interview_questions(std::string_view language)
{
    if (language == "ko")
        return {"간단하게 자기소개를 부탁드립니다.", "지금까지 해 온 일 가운데 가장 기억에 남는 일은 무엇이고, 그때 어떤 역할을 하셨나요?",
                "어려운 문제를 만났을 때 어떻게 해결하시는지 예를 들어 말씀해 주세요."};
    return {"Please introduce yourself briefly.", "Which piece of your work do you remember best, and what was your part in it?",
            "How do you go about a hard problem? Please give an example."};
}

}  // namespace repartee::voice
