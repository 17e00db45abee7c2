#include "repartee/voice/header_text.hpp"
#include "repartee/voice/voice_chat.hpp"

#include <catch2/catch.hpp>

using namespace repartee::voice;

TEST_CASE("requests are sorted by their words")
{
    struct Row {
        const char* heard;
        const char* sorted;
    };
    const Row rows[] = {
        {"제 주문 언제 도착하나요?", "order_status"},
        {"배송이 아직 안 왔어요", "order_status"},
        {"환불 상태를 알려 주세요", "order_status"},
        {"물건이 고장 났어요. 환불해 주세요", "complaint"},
        {"주문한 물건이 파손되어 왔어요", "complaint"},
        {"영업시간이 어떻게 되나요", "general_question"},
        {"이건 뭐예요?", "general_question"},
        {"안녕하세요", "other"},
        {"", "other"},
        {"Where is my parcel?", "order_status"},
        {"My order has not been shipped yet.", "order_status"},
        {"This is broken and I want a refund!", "complaint"},
        {"What are your opening hours", "general_question"},
        {"Do you sell tea?", "general_question"},
        {"Thank you very much.", "other"},
        {"I live near the border.", "other"},
    };
    for (const Row& row : rows) {
        INFO(row.heard);
        CHECK(classify_by_words(row.heard) == row.sorted);
    }
}

TEST_CASE("the model's class is found however it is wrapped")
{
    CHECK(read_class("complaint") == "complaint");
    CHECK(read_class("  Order_Status.\n") == "order_status");
    CHECK(read_class("{\"class\": \"general_question\"}") == "general_question");
    CHECK(read_class("The class is **order status**") == "order_status");
    CHECK(read_class("other") == "other");
    CHECK(read_class("another") == std::nullopt);
    CHECK(read_class("complaint or other") == std::nullopt);
    CHECK(read_class("") == std::nullopt);
    CHECK(read_class("주문") == std::nullopt);
}

TEST_CASE("header values are percent-encoded UTF-8, cut between characters")
{
    CHECK(header_text("Hello, you!", 100) == "Hello%2C%20you!");
    CHECK(header_text("네\r\nX: 1", 100) == "%EB%84%A4%0D%0AX%3A%201");
    CHECK(header_text("가나다", 20) == "%EA%B0%80%EB%82%98");
    CHECK(header_text("", 5).empty());
    CHECK(header_text("a\xFF", 10) == "a%EF%BF%BD");
}
