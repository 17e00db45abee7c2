#include "openai_llm.hpp"

#include "chat_stream.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/sse.hpp"
#include "repartee/providers/text.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::string_view default_url = "https://api.openai.com/v1";
constexpr std::string_view default_path = "chat/completions";
constexpr std::size_t document_bytes_extra = 64 << 10;

/// Server-sent events; or one JSON document from a server that does not stream.
class OpenAiFraming final : public ChatFraming {
public:
    OpenAiFraming(const HttpEndpoint& endpoint, std::string content_type, std::size_t reply_bytes_max)
        : endpoint_(endpoint), content_type_(std::move(content_type)), document_bytes_max_(reply_bytes_max + document_bytes_extra)
    {
    }

    Result<void> feed(std::string_view bytes, ChatReader& reader, const OnDelta& on_delta) override
    {
        if (kind_ == Kind::unknown) {
            const auto begun = begin(bytes);
            if (!begun) return begun;
        }
        if (kind_ == Kind::document) return collect(bytes);
        events_.feed(bytes);
        while (!reader.ended()) {
            auto event = events_.next();
            if (!event) return event.error();
            if (!*event) return {};
            if (const auto read = take((**event).data, reader, on_delta); !read) return read;
        }
        return {};
    }

    Result<void> finish(ChatReader& reader, const OnDelta& on_delta) override
    {
        if (kind_ == Kind::document) return take(document_, reader, on_delta);
        if (const auto event = events_.finish()) return take(event->data, reader, on_delta);
        return {};
    }

private:
    enum class Kind { unknown, events, document };

    Result<void> begin(std::string_view bytes)
    {
        const std::string_view beginning = trim(bytes);
        if (beginning.empty()) return {};
        if (beginning.front() == '<')
            return endpoint_.wrong_content(content_type_, "a model's answer");
        kind_ = beginning.front() == '{' ? Kind::document : Kind::events;
        return {};
    }

    Result<void> collect(std::string_view bytes)
    {
        if (document_.size() + bytes.size() > document_bytes_max_)
            return Error{Code::too_large, fmt::format("{} sent more than {} bytes in one answer.", endpoint_.who(), document_bytes_max_)};
        document_ += bytes;
        return {};
    }

    static Result<void> take(std::string_view data, ChatReader& reader, const OnDelta& on_delta)
    {
        const auto delta = reader.read_openai(data);
        if (!delta) return delta.error();
        if (!delta->empty()) on_delta(*delta);
        return {};
    }

    const HttpEndpoint& endpoint_;
    std::string content_type_;
    std::size_t document_bytes_max_;
    Kind kind_ = Kind::unknown;
    net::SseParser events_;
    std::string document_;
};

std::string tokens_field(const LlmSettings& settings, std::string_view host)
{
    if (settings.tokens_field != "auto") return settings.tokens_field;
    return host.starts_with("api.openai.com") ? "max_completion_tokens" : "max_tokens";
}

}  // namespace

Result<std::unique_ptr<LanguageModel>> OpenAiLlm::create(const LlmSettings& settings, const Resources& resources)
{
    if (settings.model.empty())
        return Error{Code::not_configured, fmt::format("The language model service needs a model's name. Set {}.model.", settings.section)};
    auto endpoint = HttpEndpoint::create("language model", settings, default_url, default_path, resources, resources.metrics.llm);
    if (!endpoint) return endpoint.error();
    ChatOptions options;
    options.model = settings.model;
    options.tokens_field = tokens_field(settings, endpoint->host());
    options.output_tokens_max = settings.output_tokens_max;
    options.temperature = settings.temperature;
    options.extra = settings.extra;
    return std::unique_ptr<LanguageModel>(new OpenAiLlm(std::move(*endpoint), std::move(options), settings.reply_bytes_max));
}

OpenAiLlm::OpenAiLlm(HttpEndpoint endpoint, ChatOptions options, std::size_t reply_bytes_max)
    : endpoint_(std::move(endpoint)), options_(std::move(options)), reply_bytes_max_(reply_bytes_max)
{
}

Task<net::HttpAnswer> OpenAiLlm::ask(const ChatRequest& request, Stop stop)
{
    Refusal refusal;
    HttpEndpoint::MakeBody body = json_body(openai_chat_body(request, options_));
    auto answer = co_await endpoint_.post("application/json", std::move(body), stop, &refusal);
    const bool is_request_refused = !answer && (refusal.status == 400 || refusal.status == 422);
    const bool refuses_option = is_request_refused && refusal.words.find("stream_options") != std::string::npos;
    if (!refuses_option || !options_.include_usage) co_return answer;
    log::info("provider.without_usage", {{"section", endpoint_.settings().section}, {"host", endpoint_.host()}});
    options_.include_usage = false;
    HttpEndpoint::MakeBody plain_body = json_body(openai_chat_body(request, options_));
    co_return co_await endpoint_.post("application/json", std::move(plain_body), stop);
}

Task<ChatResult> OpenAiLlm::chat(ChatRequest request, ChatSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    StopAfter until(executor, milliseconds(0), stop);
    auto answer = co_await ask(request, until.token());
    if (!answer) co_return answer.error();
    ChatReader reader(endpoint_.who(), reply_bytes_max_);
    OpenAiFraming framing(endpoint_, std::string(answer->header("content-type")), reply_bytes_max_);
    co_return co_await read_chat(*answer, framing, reader, endpoint_, std::move(sink), until);
}

}  // namespace repartee::providers
