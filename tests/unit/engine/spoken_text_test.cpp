#include "repartee/engine/spoken_text.hpp"

#include <catch2/catch.hpp>

using repartee::engine::SpokenText;

TEST_CASE("what is written is brought into words that can be said")
{
    struct Row {
        const char* written;
        const char* spoken;
    };
    const Row rows[] = {
        // Plain text stays, with its numbers, units and punctuation.
        {"안녕하세요. 무엇을 도와드릴까요?", "안녕하세요. 무엇을 도와드릴까요?"},
        {"It is 3.5 km, 25℃ and 10% of $1,000.", "It is 3.5 km, 25℃ and 10% of $1,000."},
        {"  a \t b\n c  ", "a b c"},
        {"3~5시에 만나요~", "3~5시에 만나요~"},
        {"snake_case and a-b", "snake_case and a-b"},
        {"2*3 is 5 * 1.2", "2*3 is 5 * 1.2"},
        {"a < b > c & d", "a < b > c & d"},
        // Emphasis.
        {"**아주** *중요한* __것__ _하나_ ~~아님~~ ***셋***", "아주 중요한 것 하나 아님 셋"},
        {"**강조**는 *이렇게*요", "강조는 이렇게요"},
        {"**cut in", "cut in"},
        {"the half** of it", "the half of it"},
        {"*웃음* 네", "웃음 네"},
        {"`x = a_b * 2` and ``c`d``", "x = a_b * 2 and c`d"},
        {"\\*not\\* \\_this\\_", "*not* _this_"},
        // Lines.
        {"# 제목", "제목"},
        {"###### 제목 ##", "제목 ##"},
        {"#태그", "#태그"},
        {"- 하나", "하나"},
        {"* 둘", "둘"},
        {"+ 셋", "셋"},
        {"• 넷", "넷"},
        {"> > 인용", "인용"},
        {"- [ ] 할 일", "할 일"},
        {"1. 첫째", "첫째"},
        {"  2) 둘째", "둘째"},
        {"3.", "3."},
        {"3. 5 is more", "3. 5 is more"},
        {"---", ""},
        {"* * *", ""},
        {"===", ""},
        {"| 이름 | 나이 |", "이름, 나이"},
        {"|---|:-:|", ""},
        {"하나\n- 둘\n- 셋", "하나 둘 셋"},
        // Links and addresses.
        {"[네이버](https://naver.com)에서 보세요", "네이버에서 보세요"},
        {"[문서][1]와 주석[^2]", "문서와 주석"},
        {"![고양이](cat.png) 사진", "고양이 사진"},
        {"[a] and (b)", "[a] and (b)"},
        {"여기 https://example.com/a_b?c=d#e 를 보세요.", "여기 를 보세요."},
        {"https://example.com에서", "에서"},
        {"참고 (https://example.com/x(y)).", "참고."},
        {"<https://example.com> 또는 www.example.com.", "또는."},
        {"메일은 kim.lee+x@mail.example.co.kr로 주세요", "메일은 로 주세요"},
        {"@home at 5", "@home at 5"},
        {"example.com is fine", "example.com is fine"},
        // HTML.
        {"<b>굵게</b><br/>다음 <!-- 없음 -->줄", "굵게 다음 줄"},
        {"Tom &amp; Jerry &lt;3&nbsp;&quot;ok&quot; &#39;a&#39; &unknown;", "Tom & Jerry <3 \"ok\" 'a' &unknown;"},
        {"I <3 you", "I <3 you"},
        // Pictures and laughter.
        {"좋아요😊👍🏽", "좋아요"},
        {"가족👨‍👩‍👧‍👦이 🇰🇷에 ❤️", "가족 이 에"},
        {"1️⃣ 첫째 #️⃣", "첫째"},
        {"a😊b", "a b"},
        {"© ® ™ # * 0", "© ® ™ # * 0"},
        {"ㅋㅋㅋ 그래요 ㅠㅠ 네ㅋ ㅎㅎ", "그래요 네"},
        {"자음 ㅎ 하나", "자음 ㅎ 하나"},
        {"네^^ 좋아요 :) 그래요 ^_^", "네 좋아요 그래요"},
        {"(이유:) 10:30", "(이유:) 10:30"},
        // Nothing with a sound.
        {"...", ""},
        {"?!", ""},
        {"\"“”", ""},
        {"😊", ""},
        {"ㅋㅋㅋ!", ""},
        {"→ — ·", ""},
        {"", ""},
        {"%", "%"},
        {"℃", "℃"},
        {"€", "€"},
        // Characters that are none.
        {"a\u200Bb\u00ADc\u0007d\u2028e\uFEFF", "abc d e"},
        {"bad \xFF\xC3 bytes", "bad bytes"},
    };
    for (const Row& row : rows) {
        INFO(row.written);
        CHECK(SpokenText().take(row.written) == row.spoken);
    }
}

TEST_CASE("a fence opened in one piece swallows all until it is closed")
{
    SpokenText text;
    CHECK(text.take("보세요:\n") == "보세요:");
    CHECK(text.take("```python\n").empty());
    CHECK(text.take("print(1). ").empty());
    CHECK(text.take("~~~\n").empty());
    CHECK(text.take("   ```  \n").empty());
    CHECK(text.take("끝났어요.") == "끝났어요.");
    CHECK(SpokenText().take("말 ```한 줄``` 끝") == "말 한 줄 끝");
    CHECK(SpokenText().take("하나\n```\n둘\n```\n셋") == "하나 셋");
}

TEST_CASE("marks of lines are marks at the start of a line only")
{
    SpokenText text;
    CHECK(text.take("그는 ") == "그는");
    CHECK(text.take("- 하나 ") == "- 하나");
    CHECK(text.take("끝\n") == "끝");
    CHECK(text.take("- 둘") == "둘");
}
