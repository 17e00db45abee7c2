#include "repartee/conversation/backchannel.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee::conversation;

TEST_CASE("what a short utterance amounts to")
{
    for (const char* text : {"", "  ", "...", "[cough]", "(기침)", "*sighs*", "<noise>", "♪", "…", "Thanks for watching!", "시청해주셔서 감사합니다.", "You",
        "👍"}) {
        INFO(text);
        CHECK(judge(text) == Said::nothing);
    }
    for (const char* text :
         {"응", "응.", "응응", "응응응응", "네", "네.", "네네", "네, 네.", "예예", "네에", "음...", "으음", "흠", "어어", "아 그렇구나", "그렇구나~", "그래그래", "맞아 맞아!",
          "네 맞아요", "ㅋㅋㅋ", "ㅇㅇ", "하하하", "진짜?", "mm", "Mm-hm.", "mm-hmm", "Mmmm", "mhm", "MHMM", "uh-huh", "Uh huh!", "hmm", "Yeah.", "yeah yeah",
              "Yeahhh",
          "Oh, okay", "OK", "I see.", "Really?", "go on", "of course", "got it", "Right, right", "Uhhh", "haha", "Cool", "[laughs] yeah", "응 (웃음)"}) {
        INFO(text);
        CHECK(judge(text) == Said::backchannel);
    }
    for (const char* text : {"그만", "그만!", "그만해", "그만 그만", "잠깐", "잠깐만", "잠깐만요", "아 잠깐만", "멈춰", "스톱", "기다려", "stop", "Stop!", "STOOOP", "stop it",
        "Wait.",
                             "oh wait", "hold on", "Hang on", "shut up", "no, stop"}) {
        INFO(text);
        CHECK(judge(text) == Said::stop);
    }
    for (const char* text : {"아니", "아니요", "왜?", "뭐라고?", "오네", "내일 몇 시에 만날까", "응 근데 그게 아니라", "네가 말해 봐", "no", "why", "what is that", "yes but why",
                             "the bus did not stop there today", "100", "はい", "¿qué?", "그만두는 게 좋을까 고민이야"}) {
        INFO(text);
        CHECK(judge(text) == Said::words);
    }
}

TEST_CASE("any bytes can be judged")
{
    std::string text;
    unsigned seed = 1;
    for (int round = 0; round < 20'000; ++round) {
        text.clear();
        const unsigned length = (seed = seed * 1'664'525 + 1'013'904'223) >> 26;
        for (unsigned i = 0; i < length; ++i) text += static_cast<char>((seed = seed * 1'664'525 + 1'013'904'223) >> 24);
        (void)judge(text);
    }
    CHECK(judge(std::string(10'000, 'm')) == Said::words);
    CHECK(judge("\xEC\x9D") == Said::words);
    CHECK(judge("[never closed") == Said::words);
}
