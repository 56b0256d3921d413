//! Measures stagedoor against the floor: a gRPC server of the same API and messages that decides nothing.
//!
//! ```text
//! cargo run --release --example load -- --seconds 3 --rounds 5 --connections 2 --unix
//!
//! this process: the callers (one thread, the last core)
//!   ├─ child: the floor          (the other cores; idle while the other is measured)
//!   └─ child: stagedoor --demo   (the same cores)
//! ```
//!
//! Each round measures both in turn, so that what else the machine does hits both alike; ratios are taken per round, and
//! the median of the rounds is shown. `cpu` is the server's own processor time per decision: it tells the two apart even
//! where the callers are what is slow.

use std::collections::VecDeque;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use futures_util::{Stream, StreamExt as _};
use hdrhistogram::Histogram;
use prost::Message as _;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::proto::v1::authorization_server::{Authorization, AuthorizationServer};
use stagedoor::{app, config, serve};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// Measures stagedoor against a server that decides nothing.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// How long each server is measured in each round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often both are measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Calls under way on each connection, for Check and BatchCheck
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Over a Unix socket rather than TCP
    #[arg(long)]
    unix: bool,
    /// Only these
    #[arg(long, value_enum)]
    only: Vec<Case>,
    /// The child's part: which server to be
    #[arg(long, hide = true)]
    serve: Option<Server>,
    #[arg(long, hide = true, default_value = "")]
    at: String,
    #[arg(long, hide = true)]
    answers: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Server {
    Floor,
    Stagedoor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    Check,
    Batch50,
    Stream8,
    Stream64,
}

const CASES: [Case; 4] = [Case::Check, Case::Batch50, Case::Stream8, Case::Stream64];
const BATCH: usize = 50;

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    match options.serve {
        Some(Server::Floor) => floor(&options),
        Some(Server::Stagedoor) => demo(&options),
        None => measure(&options),
    }
}

// === the servers ===

/// Answers every question with the answer that stagedoor gave to it.
#[derive(Clone)]
struct Floor {
    check: v1::CheckResponse,
    batch: v1::BatchCheckResponse,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Authorization for Floor {
    async fn check(&self, _: Request<v1::CheckRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        Ok(Response::new(self.check.clone()))
    }

    async fn batch_check(&self, _: Request<v1::BatchCheckRequest>) -> Result<Response<v1::BatchCheckResponse>, Status> {
        Ok(Response::new(self.batch.clone()))
    }

    type CheckStreamStream = Answers<v1::CheckResponse>;

    async fn check_stream(
        &self,
        requests: Request<Streaming<v1::CheckRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        let answer = self.check.clone();
        Ok(Response::new(requests.into_inner().map(move |request| request.map(|_| answer.clone())).boxed()))
    }

    async fn explain(&self, _: Request<v1::CheckRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_actions(
        &self,
        _: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type ListResourcesStream = Answers<v1::ListResourcesResponse>;

    async fn list_resources(
        &self,
        _: Request<v1::ListResourcesRequest>,
    ) -> Result<Response<Self::ListResourcesStream>, Status> {
        Err(Status::unimplemented(""))
    }

    type ListSubjectsStream = Answers<v1::ListSubjectsResponse>;

    async fn list_subjects(
        &self,
        _: Request<v1::ListSubjectsRequest>,
    ) -> Result<Response<Self::ListSubjectsStream>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchStream = Answers<v1::WatchResponse>;

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_server_info(&self, _: Request<v1::GetServerInfoRequest>) -> Result<Response<v1::ServerInfo>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn floor(options: &Options) -> Result<(), Failure> {
    let bytes = std::fs::read(options.answers.as_deref().ok_or("the floor needs answers to repeat")?)?;
    let mut rest = bytes.as_slice();
    let check = v1::CheckResponse::decode_length_delimited(&mut rest)?;
    let batch = v1::BatchCheckResponse::decode_length_delimited(&mut rest)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let router = serve::transport().add_service(AuthorizationServer::new(Floor { check, batch }));
        match options.at.strip_prefix("unix:") {
            Some(path) => {
                let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
                router.serve_with_incoming(incoming).await?;
            }
            None => {
                let incoming = TcpListenerStream::new(TcpListener::bind(&options.at).await?);
                let nodelay = |accepted: std::io::Result<tokio::net::TcpStream>| {
                    accepted.and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                };
                router.serve_with_incoming(incoming.map(nodelay)).await?;
            }
        }
        Ok(())
    })
}

fn demo(options: &Options) -> Result<(), Failure> {
    let environment = [("STAGEDOOR__LISTEN".to_owned(), options.at.clone())].into();
    app::build(config::demo(&environment)?)?.run(app::shutdown::signals())?;
    Ok(())
}

/// A server in a process of its own.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(which: Server, address: String, answers: &Path, cores: Option<usize>) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut command = match cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &format!("0-{}", cores - 2)]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let name = if which == Server::Floor { "floor" } else { "stagedoor" };
        let arguments = ["--serve", name, "--at", &address, "--answers"];
        let child = command.args(arguments).arg(answers).stderr(Stdio::null()).spawn()?;
        Ok(Self { child, address })
    }

    async fn connect(&self) -> Result<AuthorizationClient<Channel>, Failure> {
        let uri =
            if self.address.starts_with("unix:") { self.address.clone() } else { format!("http://{}", self.address) };
        let endpoint = Endpoint::from_shared(uri)?;
        for _ in 0..200 {
            if let Ok(channel) = endpoint.connect().await {
                return Ok(AuthorizationClient::new(channel));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(format!("no server at {}", self.address).into())
    }

    /// The processor time that the server has used so far.
    fn cpu(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === the callers ===

fn question() -> v1::CheckRequest {
    v1::CheckRequest {
        subject: Some(v1::Subject { r#type: String::new(), id: "bo".to_owned() }),
        action: Some(v1::Action { name: "comment".to_owned(), ..Default::default() }),
        resource: Some(v1::Resource {
            r#type: "task".to_owned(),
            id: "sh010-animation".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn batch() -> v1::BatchCheckRequest {
    v1::BatchCheckRequest { items: vec![question(); BATCH], ..Default::default() }
}

/// One call after the other.
async fn unary(mut client: AuthorizationClient<Channel>, case: Case, until: Instant) -> Result<Vec<u64>, Failure> {
    let mut times = Vec::new();
    let (one, many) = (question(), batch());
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(times);
        }
        if case == Case::Check {
            client.check(one.clone()).await?;
        } else {
            client.batch_check(many.clone()).await?;
        }
        times.push(nanoseconds(began));
    }
}

/// So many requests under way at once on one stream.
async fn piped(
    mut client: AuthorizationClient<Channel>,
    in_flight: usize,
    until: Instant,
) -> Result<Vec<u64>, Failure> {
    let (sender, receiver) = tokio::sync::mpsc::channel(in_flight);
    let mut begun = VecDeque::new();
    for _ in 0..in_flight {
        begun.push_back(Instant::now());
        sender.send(question()).await?;
    }
    let mut answers = client.check_stream(ReceiverStream::new(receiver)).await?.into_inner();
    let mut times = Vec::new();
    while answers.message().await?.is_some() {
        let Some(began) = begun.pop_front() else { return Err("more answers than questions".into()) };
        times.push(nanoseconds(began));
        let now = Instant::now();
        if now >= until {
            break;
        }
        begun.push_back(now);
        sender.send(question()).await?;
    }
    Ok(times)
}

fn nanoseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What was measured of one server in one round.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Decisions a second.
    rate: f64,
    /// Microseconds: of calls at 50, 99 and 99.9 percent, and of processor time per decision.
    p50: f64,
    p99: f64,
    p999: f64,
    cpu: f64,
}

async fn run(server: &Running, case: Case, options: &Options, time: Duration) -> Result<Run, Failure> {
    let mut callers = JoinSet::new();
    let (began, cpu) = (Instant::now(), server.cpu()?);
    let until = began + time;
    for _ in 0..options.connections {
        let client = server.connect().await?;
        match case {
            Case::Check | Case::Batch50 => {
                for _ in 0..options.in_flight {
                    callers.spawn(unary(client.clone(), case, until));
                }
            }
            Case::Stream8 => drop(callers.spawn(piped(client, 8, until))),
            Case::Stream64 => drop(callers.spawn(piped(client, 64, until))),
        }
    }
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(ended) = callers.join_next().await {
        for time in ended?? {
            times.record(time)?;
        }
    }
    let calls = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let decisions = f64::from(calls) * if case == Case::Batch50 { 50.0 } else { 1.0 };
    let at = |quantile| Duration::from_nanos(times.value_at_quantile(quantile)).as_secs_f64() * 1e6;
    let cpu = (server.cpu()? - cpu).as_secs_f64() * 1e6 / decisions;
    Ok(Run { rate: decisions / began.elapsed().as_secs_f64(), p50: at(0.5), p99: at(0.99), p999: at(0.999), cpu })
}

// === rounds and report ===

fn measure(options: &Options) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism()?.get();
    let pinned = cores > 1 && Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok();
    if pinned {
        let me = std::process::id().to_string();
        let last = (cores - 1).to_string();
        Command::new("taskset").args(["-p", "-c", &last, &me]).stdout(Stdio::null()).status()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rounds(options, pinned.then_some(cores)))
}

async fn rounds(options: &Options, cores: Option<usize>) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let answers = directory.path().join("answers");
    let address = |name: &str| match options.unix {
        true => Ok(format!("unix:{}", directory.path().join(name).display())),
        false => free_port(),
    };
    let stagedoor = Running::start(Server::Stagedoor, address("stagedoor")?, &answers, cores)?;
    std::fs::write(&answers, sample(&stagedoor).await?)?;
    let floor = Running::start(Server::Floor, address("floor")?, &answers, cores)?;
    let (time, warm) = (Duration::from_secs_f64(options.seconds), Duration::from_millis(500));

    let mut out = std::io::stdout();
    writeln!(out, "{}", machine(cores)?)?;
    let (over, connections) = (if options.unix { "Unix socket" } else { "TCP" }, options.connections);
    let (rounds, seconds) = (options.rounds, options.seconds);
    writeln!(out, "{over}, {connections} connections, {rounds} rounds of {seconds} s each; medians, times in µs\n")?;
    writeln!(out, "{:<28} {:>12} {:>9} {:>9} {:>9} {:>9}", "", "decisions/s", "p50", "p99", "p99.9", "cpu")?;
    for case in CASES.into_iter().filter(|case| options.only.is_empty() || options.only.contains(case)) {
        let mut pairs = Vec::new();
        for server in [&floor, &stagedoor] {
            run(server, case, options, warm).await?;
        }
        for round in 0..options.rounds {
            // Who is first changes from round to round.
            let pair = if round % 2 == 0 {
                let floor = run(&floor, case, options, time).await?;
                (floor, run(&stagedoor, case, options, time).await?)
            } else {
                let stagedoor = run(&stagedoor, case, options, time).await?;
                (run(&floor, case, options, time).await?, stagedoor)
            };
            pairs.push(pair);
        }
        report(&mut out, case, options, &pairs)?;
    }
    Ok(())
}

/// What stagedoor answers, for the floor to repeat.
async fn sample(stagedoor: &Running) -> Result<Vec<u8>, Failure> {
    let mut client = stagedoor.connect().await?;
    for _ in 0..200 {
        let check = client.check(question()).await?.into_inner();
        if check.decision() == v1::Decision::Allow {
            let batch = client.batch_check(batch()).await?.into_inner();
            return Ok([check.encode_length_delimited_to_vec(), batch.encode_length_delimited_to_vec()].concat());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err("the demo does not allow what it should".into())
}

fn report(out: &mut impl std::io::Write, case: Case, options: &Options, pairs: &[(Run, Run)]) -> Result<(), Failure> {
    let name = match case {
        Case::Check => format!("Check, {} in flight", options.in_flight),
        Case::Batch50 => format!("BatchCheck of 50, {} in flight", options.in_flight),
        Case::Stream8 => "CheckStream, 8 in flight".to_owned(),
        Case::Stream64 => "CheckStream, 64 in flight".to_owned(),
    };
    let parts: [fn(&Run) -> f64; 5] = [|run| run.rate, |run| run.p50, |run| run.p99, |run| run.p999, |run| run.cpu];
    writeln!(out, "{name}")?;
    let [mut floor, mut stagedoor, mut ratio] = ["  floor", "  stagedoor", "  ratio"].map(|row| format!("{row:<28}"));
    for (at, part) in parts.into_iter().enumerate() {
        let (width, digits) = if at == 0 { (13, 0) } else { (10, 2) };
        let cell = |value: f64, digits: usize| format!("{value:>width$.digits$}");
        floor.push_str(&cell(median(pairs.iter().map(|(floor, _)| part(floor))), digits));
        stagedoor.push_str(&cell(median(pairs.iter().map(|(_, stagedoor)| part(stagedoor))), digits));
        ratio.push_str(&cell(median(pairs.iter().map(|(floor, stagedoor)| part(stagedoor) / part(floor))), 3));
    }
    writeln!(out, "{floor}\n{stagedoor}\n{ratio}")?;
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn free_port() -> Result<String, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The machine's shape, without which numbers say nothing.
fn machine(cores: Option<usize>) -> Result<String, Failure> {
    let info = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let shares = match cores {
        Some(2) => "core 0 serves, core 1 calls".to_owned(),
        Some(cores) => format!("cores 0 to {} serve, core {} calls", cores - 2, cores - 1),
        None => "not pinned: servers and callers share the cores".to_owned(),
    };
    Ok(format!("{model}, Linux {}; {shares}", kernel.trim()))
}
