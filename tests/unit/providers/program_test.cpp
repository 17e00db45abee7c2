#include "repartee/providers/program.hpp"
#include "run.hpp"

#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace repartee;
using namespace repartee::providers;
using test::ok;
using test::run;

namespace {

ProgramRequest shell(std::string script)
{
    ProgramRequest request;
    request.argv = {"/bin/sh", "-c", std::move(script)};
    request.limit = std::chrono::minutes(1);
    request.when_missing = "Install a shell.";
    return request;
}

struct Output {
    std::string text;
    ByteSink sink()
    {
        return [this](std::span<const std::byte> bytes) { text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); };
    }
};

/// No such process, or one that is dead and waits for its new parent to notice.
bool is_dead(const std::string& pid)
{
    std::ifstream file("/proc/" + pid + "/stat");
    std::string number, name, state;
    if (!(file >> number >> name >> state)) return true;
    return state == "Z" || state == "X";
}

/// Killed and reaped.
bool no_children_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// SIGKILL has been sent, but a process of which we are not the parent dies in its own time.
void await_death(const std::string& pid)
{
    while (!is_dead(pid)) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a program gets its input and its output comes back, whole")
{
    ProgramRequest request = shell("cat");
    for (int i = 0; i < 200'000; ++i) request.input += static_cast<char>(i * 7);
    const std::string input = request.input;
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    REQUIRE(ok(outcome));
    CHECK(output.text == input);
}

TEST_CASE("arguments reach the program as they stand, without a shell between")
{
    ProgramRequest request;
    request.argv = {"printf", "%s|", "$(id)", "a b", "'\";"};
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    REQUIRE(ok(outcome));
    CHECK(output.text == "$(id)|a b|'\";|");
}

TEST_CASE("a program that never reads its input is no obstacle")
{
    ProgramRequest request = shell("echo done");
    request.input.assign(1 << 20, 'x');
    Output output;
    REQUIRE(ok(run(run_program(request, output.sink(), {}))));
    CHECK(output.text == "done\n");
}

TEST_CASE("a failing program's exit status and complaint are in the error")
{
    Output output;
    const auto outcome = run(run_program(shell("echo partly; echo 'no such voice' >&2; exit 3"), output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::provider_failed);
    CHECK(outcome.error().message == "/bin/sh failed with exit status 3: no such voice");
    CHECK(output.text == "partly\n");
}

TEST_CASE("a crashed program is told by its signal")
{
    Output output;
    const auto outcome = run(run_program(shell("kill -SEGV $$"), output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::provider_failed);
    CHECK(outcome.error().message == "/bin/sh was ended by signal 11.");
}

TEST_CASE("a long complaint is read to its end and kept to 2 KiB, on one line")
{
    Output output;
    const std::string script = "head -c 300000 /dev/zero | tr '\\0' '\\n' >&2; yes complaint | head -n 100000 >&2; exit 1";
    const auto outcome = run(run_program(shell(script), output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::provider_failed);
    CHECK(outcome.error().message.size() < 2200);
    CHECK(outcome.error().message.find('\n') == std::string::npos);
}

TEST_CASE("a never-ending program is killed at its time limit")
{
    ProgramRequest request = shell("exec sleep 1000");
    request.limit = std::chrono::milliseconds(100);
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::timeout);
    CHECK(no_children_left());
}

TEST_CASE("Stop kills a program, and what it started")
{
    Output output;
    std::stop_source stop;
    const ByteSink until_first_line = [&](std::span<const std::byte> bytes) {
        output.sink()(bytes);
        if (output.text.find('\n') != std::string::npos) stop.request_stop();
    };
    const auto outcome = run(run_program(shell("sleep 1000 & echo $!; wait"), until_first_line, stop.get_token()));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::cancelled);
    await_death(first_line(output.text));
}

TEST_CASE("Stop ends a silent program at once")
{
    for (const bool before : {false, true}) {
        asio::io_context context;
        std::stop_source stop;
        if (before) stop.request_stop();
        asio::steady_timer timer(context, std::chrono::milliseconds(20));
        timer.async_wait([&](boost::system::error_code) { stop.request_stop(); });
        const auto began = std::chrono::steady_clock::now();
        Output output;
        const auto outcome = run(context, run_program(shell("exec sleep 1000"), output.sink(), stop.get_token()));
        REQUIRE(!outcome);
        CHECK(outcome.error().code == Code::cancelled);
        CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
        CHECK(no_children_left());
    }
}

TEST_CASE("a program that takes more memory than it may is refused it")
{
    ProgramRequest request = shell("sleep 0.1; head -c 300000000 /dev/zero | tail -c 300000000 | wc -c");
    request.memory_bytes_max = 100 << 20;
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    CHECK(output.text != "300000000\n");
    CHECK(no_children_left());
}

TEST_CASE("a program that writes without end is killed at the output bound")
{
    ProgramRequest request = shell("exec yes");
    request.output_bytes_max = 1 << 20;
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::too_large);
    CHECK(output.text.size() <= request.output_bytes_max);
    CHECK(no_children_left());
}

TEST_CASE("a missing program is a matter of configuration, and the error says how to mend it")
{
    ProgramRequest request;
    request.argv = {"no-such-program-anywhere"};
    request.when_missing = "Install it: apt-get install it";
    Output output;
    const auto outcome = run(run_program(request, output.sink(), {}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::not_configured);
    CHECK(outcome.error().message == "no-such-program-anywhere is not installed. Install it: apt-get install it");

    request.argv = {"/etc/passwd"};
    const auto not_executable = run(run_program(request, output.sink(), {}));
    REQUIRE(!not_executable);
    CHECK(not_executable.error().code == Code::not_configured);

    request.argv.clear();
    const auto unnamed = run(run_program(request, output.sink(), {}));
    REQUIRE(!unnamed);
    CHECK(unnamed.error().code == Code::not_configured);
}

TEST_CASE("the server's own descriptors are not handed down, whether close-on-exec or not")
{
    const int leaking = ::open("/dev/null", O_RDONLY);
    Output output;
    const std::string script = "test ! -e /proc/self/fd/" + std::to_string(leaking) + " && echo closed";
    const auto outcome = run(run_program(shell(script), output.sink(), {}));
    ::close(leaking);
    REQUIRE(ok(outcome));
    CHECK(output.text == "closed\n");
}

TEST_CASE("a program does not outlive the event loop that ran it")
{
    Output output;
    {
        asio::io_context context;
        asio::co_spawn(context, run_program(shell("echo $$; exec sleep 1000"), output.sink(), {}), [](std::exception_ptr, Result<void>) {});
        while (output.text.find('\n') == std::string::npos) context.run_one();
    }
    CHECK(no_children_left());
}

TEST_CASE("many programs run at once, each with its own output")
{
    asio::io_context context;
    std::vector<Output> outputs(20);
    int ended_well = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i)
        asio::co_spawn(context, run_program(shell("echo " + std::to_string(i)), outputs[i].sink(), {}),
                       [&](std::exception_ptr, Result<void> result) { ended_well += result ? 1 : 0; });
    context.run();
    CHECK(ended_well == 20);
    for (std::size_t i = 0; i < outputs.size(); ++i) CHECK(outputs[i].text == std::to_string(i) + "\n");
}

TEST_CASE("is_installed looks in PATH, or at a path")
{
    CHECK(is_installed("sh"));
    CHECK(is_installed("/bin/sh"));
    CHECK_FALSE(is_installed("no-such-program-anywhere"));
    CHECK_FALSE(is_installed("/bin/no-such-program"));
    CHECK_FALSE(is_installed(""));
}
