#include "history_note.hpp"

namespace repartee::conversation {

std::string replay_note(std::size_t turns_left_out, bool korean)
{
    const std::string count = std::to_string(turns_left_out);
    if (korean) {
        std::string note = "아래 대화는 이미 진행 중이며 마지막 말에 이어서 계속됩니다. 지금까지의 언어와 말투를 그대로 유지하고, "
                           "다시 인사하거나 자신을 소개하지 말고, 끊겼다는 말도 하지 마세요.";
        if (turns_left_out > 0) note += " 앞부분의 대화 " + count + "차례는 여기에서 생략되었습니다.";
        return note;
    }
    std::string note = "The conversation below is already under way and goes on from its last line. Keep to its language and manner, do not greet "
                       "or introduce yourself again, and do not mention any interruption.";
    if (turns_left_out > 0) note += " " + count + (turns_left_out == 1 ? " earlier turn is" : " earlier turns are") + " left out here.";
    return note;
}

}  // namespace repartee::conversation
