#include "ollama_llm.hpp"

#include "chat_stream.hpp"
#include "repartee/net/text_lines.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::string_view default_url = "http://127.0.0.1:11434";
constexpr std::string_view default_path = "api/chat";
constexpr std::size_t line_bytes_max = 1 << 20;

class OllamaFraming final : public ChatFraming {
public:
    OllamaFraming(const HttpEndpoint& endpoint, std::string content_type)
        : endpoint_(endpoint), content_type_(std::move(content_type)), lines_(line_bytes_max)
    {
    }

    Result<void> feed(std::string_view bytes, ChatReader& reader, const OnDelta& on_delta) override
    {
        lines_.feed(bytes);
        while (!reader.ended()) {
            const auto line = lines_.next();
            if (!line) return line.error();
            if (!*line) return {};
            if (const auto read = take(**line, reader, on_delta); !read) return read;
        }
        return {};
    }

    Result<void> finish(ChatReader& reader, const OnDelta& on_delta) override
    {
        if (const auto line = lines_.rest()) return take(*line, reader, on_delta);
        return {};
    }

private:
    Result<void> take(std::string_view line, ChatReader& reader, const OnDelta& on_delta)
    {
        if (line.starts_with('<')) return endpoint_.wrong_content(content_type_, "a model's answer");
        const auto delta = reader.read_ollama(line);
        if (!delta) return delta.error();
        if (!delta->empty()) on_delta(*delta);
        return {};
    }

    const HttpEndpoint& endpoint_;
    std::string content_type_;
    net::TextLines lines_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> OllamaLlm::create(const LlmSettings& settings, const Resources& resources)
{
    if (settings.model.empty())
        return Error{Code::not_configured, fmt::format("Ollama needs a model's name, as \"ollama list\" shows it. Set {}.model.", settings.section)};
    auto endpoint = HttpEndpoint::create("language model", settings, default_url, default_path, resources, resources.metrics.llm);
    if (!endpoint) return endpoint.error();
    ChatOptions options;
    options.model = settings.model;
    options.output_tokens_max = settings.output_tokens_max;
    options.temperature = settings.temperature;
    options.extra = settings.extra;
    options.think = settings.think;
    options.keep_alive = settings.keep_alive;
    options.context_tokens = settings.context_tokens;
    return std::unique_ptr<LanguageModel>(new OllamaLlm(std::move(*endpoint), std::move(options), settings.reply_bytes_max));
}

OllamaLlm::OllamaLlm(HttpEndpoint endpoint, ChatOptions options, std::size_t reply_bytes_max)
    : endpoint_(std::move(endpoint)), options_(std::move(options)), reply_bytes_max_(reply_bytes_max)
{
}

Task<ChatResult> OllamaLlm::chat(ChatRequest request, ChatSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    StopAfter until(executor, milliseconds(0), stop);
    Refusal refusal;
    HttpEndpoint::MakeBody body = json_body(ollama_chat_body(request, options_));
    auto answer = co_await endpoint_.post("application/json", std::move(body), until.token(), &refusal);
    if (!answer) {
        Error error = answer.error();
        if (refusal.status == 404 && refusal.words.find("not found") != std::string::npos) {
            const std::string& model = request.choice.model.empty() ? options_.model : request.choice.model;
            error.message = fmt::format("{} does not have the model \"{}\". Run there: ollama pull {}", endpoint_.who(), model, model);
        }
        co_return error;
    }
    ChatReader reader(endpoint_.who(), reply_bytes_max_);
    OllamaFraming framing(endpoint_, std::string(answer->header("content-type")));
    co_return co_await read_chat(*answer, framing, reader, endpoint_, std::move(sink), until);
}

}  // namespace repartee::providers
