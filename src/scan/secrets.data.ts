/**
 * Formats of keys, tokens and other secrets: facts from their issuers' documentation, and for
 * checksums from tokens that their issuers published as examples.
 *
 * A format begins at one of its anchors, which is cheap to look for; its expression says how it goes
 * on and is tried at the anchor alone. Where an expression has a group `secret` (`secretOr`, `bare`),
 * that is the span; a group `head` (`headOr`) lies before the anchor and begins the span. An expression
 * whose repetition is long begins only where the character before is none that the repetition takes,
 * or ends an escape such as `\n`, so that a text made of anchors is not read again from each of them.
 */
import * as checks from "./secrets.checks.ts";

export interface SecretFormat {
  readonly id: string;
  /** What it is, for the message: "a GitHub token". */
  readonly what: string;
  readonly anchors: readonly string[];
  /** Tried at the anchor; no letter, digit or underscore may follow. */
  readonly pattern: RegExp;
  readonly score?: number;
  /** Bits a character of what follows the anchor, at least; a placeholder has fewer. */
  readonly entropyMin?: number;
  /** The format's own checksum or structure. */
  readonly check?: (secret: string) => boolean;
}

/** A run of key-like characters that says nothing by itself: a secret where its issuer and its use are named before it. */
export interface ContextFormat {
  readonly id: string;
  readonly what: string;
  /** Names of the issuer, in lower case. */
  readonly issuers: readonly string[];
  /** Said between the issuer's name and the run. */
  readonly use: RegExp;
  /** Label of a finding right after which the run needs no name. */
  readonly after?: string;
  /** The whole run. */
  readonly pattern: RegExp;
  readonly entropyMin?: number;
}

/** A secret in a prompt is worth a look; whether it may pass is the operator's to say. */
const secretScore = 0.6;
/** Moves money or signs for its owner: the worst to leak, though nothing that attacks a model. */
const gravest = 0.75;
/** Of a test system, or half of a pair: recorded beside others. */
const minor = 0.3;

const format = (
  id: string,
  what: string,
  anchors: string | readonly string[],
  pattern: RegExp,
  more: Partial<Pick<SecretFormat, "score" | "entropyMin" | "check">> = {},
): SecretFormat => ({
  id,
  what,
  anchors: typeof anchors === "string" ? [anchors] : anchors,
  pattern,
  score: secretScore,
  ...more,
});

const cloud: readonly SecretFormat[] = [
  format(
    "aws-access-key-id",
    "an AWS access key id",
    ["AKIA", "ASIA", "ABIA", "ACCA"],
    /A(?:KI|SI|BI|CC)A[A-Z2-7]{16}/,
  ),
  format(
    "aws-session-token",
    "an AWS session token",
    ["FwoGZXIvYXdz", "IQoJb3JpZ2lu"],
    /(?<![A-Za-z0-9+/])(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/]{100,2000}={0,2}/,
  ),
  format(
    "aws-bedrock-api-key",
    "an Amazon Bedrock API key",
    "ABSKQmVkcm9ja0FQSUtleS",
    /(?<![A-Za-z0-9+/])ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{80,260}={0,2}/,
  ),
  format("google-api-key", "a Google API key", "AIza", /AIza[A-Za-z0-9_-]{35}/),
  format(
    "google-oauth-client-secret",
    "a Google OAuth client secret",
    "GOCSPX-",
    /GOCSPX-[A-Za-z0-9_-]{28}/,
  ),
  format(
    "google-oauth-token",
    "a Google OAuth token",
    ["ya29.", "1//0"],
    /(?<!(?<!\\)[\w-])(?:ya29\.[A-Za-z0-9_-]{40,400}|1\/\/0[A-Za-z0-9_-]{60,120})/,
  ),
  format(
    "google-service-account",
    "a Google service account's private key",
    '"private_key"',
    /"private_key"\s{0,4}:\s{0,4}"(?<secret>-----BEGIN PRIVATE KEY-----(?:(?!-----)[^"]){200,8000}-----END PRIVATE KEY-----)/,
    { score: gravest, check: checks.isPrivateKey },
  ),
  format(
    "azure-storage-key",
    "an Azure storage or Cosmos DB account key",
    "AccountKey=",
    /AccountKey=(?<secret>[A-Za-z0-9+/]{86}==)/,
  ),
  format(
    "azure-shared-access-key",
    "an Azure shared access key",
    "SharedAccessKey=",
    /SharedAccessKey=(?<secret>[A-Za-z0-9+/]{43}=)/,
  ),
  format(
    "azure-sas",
    "the signature of an Azure shared access link",
    "sig=",
    /sig=(?<secret>(?:[A-Za-z0-9]|%2[BbFf]|\+|\/){43,64}(?:=|%3[Dd]))/,
  ),
  format(
    "azure-client-secret",
    "a Microsoft Entra client secret",
    ["7Q~", "8Q~"],
    /(?<=(?<![A-Za-z0-9_~.-])(?<head>[A-Za-z0-9_~.]{3}))[78]Q~[A-Za-z0-9_~.-]{31,34}/,
  ),
  format(
    "azure-api-key",
    "an Azure service key",
    ["JQQJ99", "AzSe", "AzFu"],
    /(?<=(?<![A-Za-z0-9])(?<head>[A-Za-z0-9]{52}))JQQJ99[A-Za-z0-9][A-L][A-Za-z0-9]{16}[A-Za-z][A-Za-z0-9]{7}(?:[A-Za-z0-9]{2}==)?|(?<=(?<![A-Za-z0-9])(?<headOr>[A-Za-z0-9_-]{42,44}))Az(?:Se|Fu)[A-Za-z0-9_-]{6,10}={0,2}/,
  ),
  format(
    "azure-devops-token",
    "an Azure DevOps token",
    "AZDO",
    /(?<=(?<![A-Za-z0-9])(?<head>[A-Za-z0-9]{76}))AZDO[A-Za-z0-9]{4}/,
  ),
  format(
    "digitalocean-token",
    "a DigitalOcean token",
    ["dop_v1_", "doo_v1_", "dor_v1_"],
    /do[opr]_v1_[a-f0-9]{64}/,
  ),
  format("heroku-api-key", "a Heroku API key", "HRKU-", /HRKU-[A-Za-z0-9_-]{60}/),
  format(
    "cloudflare-token",
    "a Cloudflare API token or key",
    ["cfut_", "cfat_", "cfk_"],
    /cf(?:ut|at|k)_[A-Za-z0-9_-]{41,64}/,
  ),
  format(
    "cloudflare-origin-ca-key",
    "a Cloudflare Origin CA key",
    "v1.0-",
    /v1\.0-[a-f0-9]{24}-[a-f0-9]{146}/,
  ),
  format(
    "alibaba-access-key-id",
    "an Alibaba Cloud access key id",
    "LTAI",
    /LTAI[A-Za-z0-9]{12,20}/,
    {
      entropyMin: 2.6,
    },
  ),
  format("tencent-secret-id", "a Tencent Cloud secret id", "AKID", /AKID[A-Za-z0-9]{32}/),
  format(
    "fly-token",
    "a Fly.io token",
    ["fo1_", "fm1_", "fm2_"],
    /(?<![A-Za-z0-9+/])(?:fo1_[\w-]{43}|fm[12]_[A-Za-z0-9+/]{100,1500}={0,3})/,
  ),
  format(
    "vercel-token",
    "a Vercel token",
    ["vcp_", "vci_", "vca_", "vcr_", "vck_"],
    /vc[pciark]_[A-Za-z0-9_-]{50}[A-Za-z0-9]{6}/,
    { check: checks.hasBase62Crc32 },
  ),
  format(
    "netlify-token",
    "a Netlify token",
    ["nfp_", "nfo_", "nfc_", "nfu_", "nfb_"],
    /nf[pocub]_[A-Za-z0-9_]{36}/,
  ),
  format(
    "supabase-key",
    "a Supabase secret key or token",
    ["sbp_", "sb_secret_"],
    /sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}/,
  ),
  format(
    "planetscale-token",
    "a PlanetScale token or password",
    ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
    /pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,64}/,
  ),
  format("neon-api-key", "a Neon API key", "napi_", /napi_[a-z0-9]{64}/),
  format("render-api-key", "a Render API key", "rnd_", /rnd_[A-Za-z0-9]{28,40}/),
  format("databricks-token", "a Databricks token", "dapi", /dapi[a-f0-9]{32}(?:-\d)?/),
  format(
    "vault-token",
    "a HashiCorp Vault token",
    ["hvs.", "hvb.", "hvr."],
    /(?<!(?<!\\)[\w-])hv[sbr]\.[A-Za-z0-9_-]{24,300}/,
    { entropyMin: 3.5 },
  ),
  format(
    "terraform-cloud-token",
    "a Terraform Cloud token",
    ".atlasv1.",
    /(?<=(?<![A-Za-z0-9])(?<head>[A-Za-z0-9]{14}))\.atlasv1\.[A-Za-z0-9_=-]{60,70}/,
  ),
  format("pulumi-token", "a Pulumi token", "pul-", /pul-[a-f0-9]{40}/),
  format(
    "doppler-token",
    "a Doppler token",
    ["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
    /dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}/,
  ),
  format(
    "onepassword-service-account",
    "a 1Password service account token or secret key",
    ["ops_eyJ", "A3-"],
    /(?<!(?<!\\)[\w-])(?:ops_eyJ[A-Za-z0-9_-]{200,1500}={0,3}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3})/,
  ),
  format(
    "tailscale-key",
    "a Tailscale key",
    "tskey-",
    /tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,40}/,
  ),
];

const forges: readonly SecretFormat[] = [
  format(
    "github-token",
    "a GitHub token",
    ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
    /gh[pousr]_[A-Za-z0-9]{36}/,
    { check: checks.hasBase62Crc32 },
  ),
  format(
    "github-fine-grained-token",
    "a GitHub fine-grained token",
    "github_pat_",
    /github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}/,
  ),
  format(
    "gitlab-personal-access-token",
    "a GitLab personal access token",
    "glpat-",
    /(?<!(?<!\\)[\w-])glpat-(?:[A-Za-z0-9_-]{20}(?![\w.-])|[A-Za-z0-9_-]{27,300}\.(?:[a-z0-9]{2}\.)?[a-z0-9]{9})/,
    { check: checks.hasGitlabCrc32 },
  ),
  format(
    "gitlab-token",
    "a GitLab token",
    [
      "gldt-",
      "glrt-",
      "glrtr-",
      "glcbt-",
      "glptt-",
      "glft-",
      "glimt-",
      "glagent-",
      "gloas-",
      "glsoat-",
      "glffct-",
      "GR1348941",
    ],
    /(?<!(?<!\\)[\w-])(?:gl(?:dt|rtr?|cbt|ptt|ft|imt|agent|oas|soat|ffct)-(?:t\d_)?[A-Za-z0-9_-]{20,64}(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?|GR1348941[\w-]{20})/,
  ),
  format(
    "atlassian-token",
    "an Atlassian or Bitbucket token",
    ["ATATT3", "ATCTT3", "ATBB"],
    /(?<!(?<!\\)[\w-])(?:AT[AC]TT3[A-Za-z0-9_-]{150,300}=[A-F0-9]{8}|ATBB[A-Za-z0-9]{32})/,
  ),
  format(
    "sourcegraph-token",
    "a Sourcegraph token",
    "sgp_",
    /sgp_(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40}/,
  ),
  format(
    "circleci-token",
    "a CircleCI token",
    ["CCIPAT_", "CCIPRJ_"],
    /CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}/,
  ),
  format("buildkite-token", "a Buildkite token", "bkua_", /bkua_[a-f0-9]{40}/),
  format("sonarqube-token", "a SonarQube token", ["squ_", "sqp_", "sqa_"], /sq[upa]_[a-f0-9]{40}/),
];

/** Base64 of two digits and half of a third: a bot's token begins with its number. */
const discordBeginnings = ["MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"].flatMap((start) =>
  [..."AEIMQUYcgk"].map((digit) => start + digit),
);

const chat: readonly SecretFormat[] = [
  format(
    "slack-token",
    "a Slack token",
    ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xapp-"],
    /xox[bpars]-(?:\d{8,14}-){1,3}[A-Za-z0-9]{16,64}|xoxe(?:-\d-|\.xox[bp]-\d-)[A-Za-z0-9]{100,200}|xapp-\d-[A-Z0-9]{9,12}-\d{10,14}-[a-f0-9]{64}/,
  ),
  format(
    "slack-webhook",
    "a Slack webhook",
    "hooks.slack.com/",
    /hooks\.slack\.com\/(?:services\/T[A-Z0-9]{7,11}\/B[A-Z0-9]{7,11}\/[A-Za-z0-9]{20,26}|(?:workflows|triggers)\/[A-Z0-9]{7,12}\/[A-Za-z0-9/]{30,60})/,
  ),
  format(
    "discord-bot-token",
    "a Discord bot token",
    discordBeginnings,
    /(?<!(?<!\\)[\w-])[MNO][TDjz][A-Za-z0-9_-]{22,26}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}/,
    { check: checks.beginsWithSnowflake },
  ),
  format(
    "discord-webhook",
    "a Discord webhook",
    "/api/webhooks/",
    /\/api\/webhooks\/\d{17,20}\/(?<secret>[A-Za-z0-9_-]{60,80})/,
  ),
  format(
    "telegram-bot-token",
    "a Telegram bot token",
    ":AA",
    /(?<=(?<!\d)(?<head>\d{8,10})):AA[A-Za-z0-9_-]{33}/,
  ),
  format(
    "teams-webhook",
    "a Microsoft Teams webhook",
    ".webhook.office.com/",
    /\.webhook\.office\.com\/webhookb2\/[a-f0-9@-]{36,80}\/IncomingWebhook\/(?<secret>[a-f0-9]{32}\/[a-f0-9-]{36})/,
  ),
  format(
    "meta-access-token",
    "a Facebook access token",
    ["EAAC", "EAAG", "EAAB", "EAAM"],
    /(?<![A-Za-z0-9])EAA[BCGM][A-Za-z0-9]{90,400}/,
    { entropyMin: 4 },
  ),
  format(
    "twitter-bearer-token",
    "an X (Twitter) bearer token",
    "AAAAAAAAAAAAAAAAAAAAA",
    /(?<![A-Za-z0-9+/%=])A{20,22}[A-Za-z0-9]{5,12}A{0,8}[A-Za-z0-9]{0,40}%(?:2[BF]|3D)[A-Za-z0-9%]{40,90}/,
  ),
  format("twitch-token", "a Twitch chat token", "oauth:", /oauth:(?<secret>[a-z0-9]{30})/),
];

const payment: readonly SecretFormat[] = [
  format(
    "stripe-live-key",
    "a Stripe live key",
    ["sk_live_", "rk_live_"],
    /[sr]k_live_[A-Za-z0-9]{24,247}/,
    { score: gravest },
  ),
  format(
    "stripe-test-key",
    "a Stripe test key",
    ["sk_test_", "rk_test_"],
    /[sr]k_test_[A-Za-z0-9]{24,247}/,
    { score: minor },
  ),
  format(
    "webhook-signing-secret",
    "a webhook's signing secret",
    "whsec_",
    /whsec_[A-Za-z0-9+/]{32,64}={0,2}/,
  ),
  format(
    "square-token",
    "a Square token or secret",
    ["sq0atp-", "sq0csp-", "EAAAE", "EAAAl"],
    /sq0atp-[\w-]{22}|sq0csp-[\w-]{43}|EAAA[El][\w-]{59}/,
    { score: gravest },
  ),
  format(
    "braintree-token",
    "a PayPal Braintree access token",
    "access_token$",
    /access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}/,
    { score: gravest },
  ),
  format(
    "adyen-api-key",
    "an Adyen API key",
    "AQE",
    /(?<![A-Za-z0-9+/])AQE[A-Za-z][A-Za-z0-9+/]{60,140}={0,2}-[A-Za-z0-9+/]{27,43}=-[^\s"'\\]{12,32}/,
    { score: gravest },
  ),
  format(
    "plaid-token",
    "a Plaid access token",
    "access-",
    /access-(?:production|development|sandbox)-[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}/,
    { score: gravest },
  ),
  format(
    "shopify-token",
    "a Shopify token or secret",
    ["shpat_", "shpca_", "shppa_", "shpss_", "shpua_"],
    /shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{32}/,
  ),
  format("razorpay-key", "a Razorpay live key id", "rzp_live_", /rzp_live_[A-Za-z0-9]{14}/, {
    entropyMin: 2.6,
  }),
  format(
    "flutterwave-key",
    "a Flutterwave secret key",
    "FLWSECK-",
    /FLWSECK-[a-f0-9]{32}-(?:[a-z0-9]{12,16}-)?X/,
    { score: gravest },
  ),
  format("easypost-key", "an EasyPost key", "EZAK", /EZAK[A-Za-z0-9]{54}/),
  format("shippo-token", "a Shippo live token", "shippo_live_", /shippo_live_[a-f0-9]{40}/),
  format("duffel-token", "a Duffel live token", "duffel_live_", /duffel_live_[A-Za-z0-9_-]{43}/),
];

const modelProviders: readonly SecretFormat[] = [
  format(
    "openai-api-key",
    "an OpenAI API key",
    "sk-",
    /(?<!(?<!\\)[\w-])sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,160}|[A-Za-z0-9]{20})T3BlbkFJ[A-Za-z0-9_-]{20,160}/,
  ),
  format(
    "anthropic-api-key",
    "an Anthropic API key or token",
    "sk-ant-",
    /(?<!(?<!\\)[\w-])sk-ant-[a-z]{3,6}\d{2}-[A-Za-z0-9_-]{80,120}/,
  ),
  format("openrouter-api-key", "an OpenRouter API key", "sk-or-v1-", /sk-or-v1-[a-f0-9]{64}/),
  format(
    "langfuse-secret-key",
    "a Langfuse secret key",
    "sk-lf-",
    /sk-lf-[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}/,
  ),
  format(
    "model-provider-key",
    "a model provider's API key",
    "sk-",
    /(?<!(?<!\\)[\w-])sk-(?:[a-f0-9]{32}|[A-Za-z0-9]{48})/,
    { entropyMin: 3 },
  ),
  format(
    "hugging-face-token",
    "a Hugging Face token",
    ["hf_", "api_org_"],
    /(?:hf|api_org)_[A-Za-z0-9]{34}/,
  ),
  format("replicate-token", "a Replicate token", "r8_", /r8_[A-Za-z0-9]{37}/),
  format("groq-api-key", "a Groq API key", "gsk_", /gsk_[A-Za-z0-9]{52}/),
  format("xai-api-key", "an xAI API key", "xai-", /xai-[A-Za-z0-9]{80}/),
  format("perplexity-api-key", "a Perplexity API key", "pplx-", /pplx-[A-Za-z0-9]{48}/),
  format("google-ai-key", "a Google AI key", "AQ.Ab", /AQ\.Ab[A-Za-z0-9_-]{40,60}/),
  format("together-api-key", "a Together AI key", "tgp_v1_", /tgp_v1_[A-Za-z0-9_-]{43}/),
  format("fireworks-api-key", "a Fireworks AI key", "fw_", /fw_[A-Za-z0-9]{22,24}/),
  format("cerebras-api-key", "a Cerebras API key", "csk-", /csk-[a-z0-9]{48}/),
  format("nvidia-api-key", "an NVIDIA API key", "nvapi-", /nvapi-[A-Za-z0-9_-]{64}/),
  format("elevenlabs-api-key", "an ElevenLabs API key", "sk_", /sk_[a-f0-9]{48}/),
  format(
    "langsmith-api-key",
    "a LangSmith API key",
    ["lsv2_pt_", "lsv2_sk_"],
    /lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}/,
  ),
  format(
    "pinecone-api-key",
    "a Pinecone API key",
    "pcsk_",
    /pcsk_[A-Za-z0-9]{5,7}_[A-Za-z0-9]{60,70}/,
  ),
  format("tavily-api-key", "a Tavily API key", "tvly-", /tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}/),
  format("firecrawl-api-key", "a Firecrawl API key", "fc-", /fc-[a-f0-9]{32}/),
  format("jina-api-key", "a Jina AI key", "jina_", /jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}/),
];

const registries: readonly SecretFormat[] = [
  format("npm-token", "an npm token", "npm_", /npm_[A-Za-z0-9]{36}/, {
    check: checks.hasBase62Crc32,
  }),
  format(
    "pypi-token",
    "a PyPI token",
    ["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"],
    /(?<!(?<!\\)[\w-])pypi-AgE[A-Za-z0-9_-]{80,1000}/,
    { check: checks.isPypiMacaroon },
  ),
  format("rubygems-key", "a RubyGems API key", "rubygems_", /rubygems_[a-f0-9]{48}/),
  format("nuget-key", "a NuGet API key", "oy2", /oy2[a-z0-9]{43}/, { entropyMin: 3.5 }),
  format("crates-io-token", "a crates.io token", "cio", /cio[A-Za-z0-9]{32}/, { entropyMin: 3.5 }),
  format(
    "docker-hub-token",
    "a Docker Hub token",
    ["dckr_pat_", "dckr_oat_"],
    /dckr_(?:pat_[A-Za-z0-9_-]{27}|oat_[A-Za-z0-9_-]{32})/,
  ),
  format(
    "artifactory-token",
    "an Artifactory key or token",
    ["AKCp", "cmVmdGtuO"],
    /AKCp[A-Za-z0-9]{69}|cmVmdGtuO[A-Za-z0-9]{55}/,
  ),
  format("clojars-token", "a Clojars token", "CLOJARS_", /CLOJARS_[a-z0-9]{60}/),
];

const services: readonly SecretFormat[] = [
  format("sendgrid-key", "a SendGrid API key", "SG.", /SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}/),
  format("mailgun-key", "a Mailgun key", "key-", /key-[a-f0-9]{32}/),
  format(
    "mailchimp-key",
    "a Mailchimp API key",
    "-us",
    /(?<=(?<![A-Za-z0-9])(?<head>[a-f0-9]{32}))-us\d{1,2}/,
  ),
  format(
    "brevo-key",
    "a Brevo API key",
    ["xkeysib-", "xsmtpsib-"],
    /x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}/,
  ),
  format("resend-key", "a Resend API key", "re_", /re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}/),
  format(
    "twilio-api-key",
    "a Twilio API key",
    [..."0123456789abcdef"].map((digit) => `SK${digit}`),
    /SK[a-f0-9]{32}/,
  ),
  format(
    "new-relic-key",
    "a New Relic key",
    ["NRAK-", "NRII-", "NRAL"],
    /NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_-]{32}|(?<=(?<![A-Za-z0-9])(?<head>eu01xx[a-f0-9]{30}|[a-f0-9]{36}))NRAL/,
  ),
  format(
    "grafana-service-account-token",
    "a Grafana service account token",
    "glsa_",
    /glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}/,
    { check: checks.hasGrafanaCrc32 },
  ),
  format(
    "grafana-token",
    "a Grafana token",
    ["glc_eyJ", "eyJrIjoi"],
    /(?<![\w+/-])(?:glc_eyJ[A-Za-z0-9+/]{60,400}={0,2}|eyJrIjoi[A-Za-z0-9+/]{60,160}={0,2}(?![\w.]))/,
  ),
  format(
    "sentry-token",
    "a Sentry token",
    ["sntrys_", "sntryu_"],
    /(?<!(?<!\\)[\w-])(?:sntrys_eyJ[A-Za-z0-9+/]{60,400}={0,2}_[A-Za-z0-9+/]{43}|sntryu_[a-f0-9]{64})/,
  ),
  format(
    "dynatrace-token",
    "a Dynatrace token",
    ["dt0c01.", "dt0s01.", "dt0s02.", "dt0s16."],
    /dt0[cs]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}/,
  ),
  format(
    "launchdarkly-key",
    "a LaunchDarkly key",
    ["sdk-", "api-"],
    /(?:sdk|api)-[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}/,
  ),
  format(
    "linear-key",
    "a Linear key or token",
    ["lin_api_", "lin_oauth_"],
    /lin_(?:api_[A-Za-z0-9]{40}|oauth_[a-f0-9]{64})/,
  ),
  format(
    "notion-token",
    "a Notion token",
    ["ntn_", "secret_"],
    /ntn_\d{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}/,
    { entropyMin: 3.5 },
  ),
  format("airtable-token", "an Airtable token", "pat", /pat[A-Za-z0-9]{14}\.[a-f0-9]{64}/),
  format("figma-token", "a Figma token", ["figd_", "figo_", "figu_"], /fig[dou]_[A-Za-z0-9_-]{40}/),
  format("postman-key", "a Postman API key", "PMAK-", /PMAK-[a-f0-9]{24}-[a-f0-9]{34}/),
  format(
    "hubspot-token",
    "a HubSpot token",
    ["pat-na", "pat-eu"],
    /pat-(?:na|eu)\d-[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}/,
  ),
  format(
    "asana-token",
    "an Asana token",
    "/12",
    /(?<=(?<!\d)(?<head>[12]))\/12\d{14}(?:\/\d{16})?:[a-f0-9]{32}/,
  ),
  format("clickup-token", "a ClickUp token", "pk_", /pk_\d{5,10}_[A-Z0-9]{32}/),
  format("contentful-token", "a Contentful token", "CFPAT-", /CFPAT-[A-Za-z0-9_-]{43}/),
  format("typeform-token", "a Typeform token", "tfp_", /tfp_[A-Za-z0-9_-]{40,60}/),
  format(
    "mapbox-token",
    "a Mapbox secret token",
    "sk.eyJ1",
    /(?<!(?<!\\)[\w.-])sk\.eyJ1[A-Za-z0-9_-]{40,160}\.[A-Za-z0-9_-]{22}/,
  ),
  format(
    "salesforce-token",
    "a Salesforce session token",
    "00D",
    /00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,120}/,
  ),
  format("honeycomb-key", "a Honeycomb key", ["hcaik_", "hcxik_"], /hc[ax]ik_[a-z0-9]{58}/),
  format("prefect-key", "a Prefect API key", ["pnu_", "pnb_"], /pn[ub]_[A-Za-z0-9]{36}/),
  format("readme-key", "a ReadMe API key", "rdme_", /rdme_[a-z0-9]{70}/),
];

const keysAndUrls: readonly SecretFormat[] = [
  format(
    "private-key",
    "a private key",
    ["-----BEGIN ", "Private-Lines: "],
    /-----BEGIN (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?:(?!-----)[\s\S]){40,12000}-----END (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----|(?:\s|\\[nr]){1,8}(?:[A-Za-z0-9+/=]{16,80}(?:\s|\\[nr]){0,8}){1,200})|Private-Lines: \d{1,3}\r?\n(?<secret>(?:[A-Za-z0-9+/=]{40,80}\r?\n){0,100}[A-Za-z0-9+/=]{1,80})(?=\r?\n|$)/,
    { score: gravest, check: checks.isPrivateKey },
  ),
  format(
    "age-secret-key",
    "an age secret key",
    "AGE-SECRET-KEY-1",
    /AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}/,
    { score: gravest, check: checks.isBech32 },
  ),
  format(
    "jwt",
    "a signed JSON web token",
    "eyJ",
    /(?<!(?<!\\)[\w-])eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,16000}\.[A-Za-z0-9_-]{20,1400}/,
    { check: checks.isSignedJwt },
  ),
  format(
    "database-url",
    "the password of a database address",
    "://",
    /(?<=\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|clickhouse|oracle|cockroachdb|couchbases?|neo4j|bolt|nats|kafka|cassandra|db2|snowflake)(?:\+[a-z0-9]{2,12}|\+s)?):\/\/[^\s:/?#@"'<>]{0,64}:(?<secret>[^\s/?#@"'<>]{3,128})(?=@[\w[])/,
    { entropyMin: 1.5, check: checks.isNoDefaultPassword },
  ),
  format(
    "url-password",
    "the password in an address",
    "://",
    /(?<=\b(?:https?|ftps?|sftp|ssh|git|ldaps?|smtps?|imaps?|socks5h?|wss?|rtsp|svn)(?:\+[a-z0-9]{2,12})?):\/\/[^\s:/?#@"'<>]{0,64}:(?<secret>[^\s/?#@"'<>]{3,128})(?=@[\w[])/,
    { entropyMin: 1.5, check: checks.isNoDefaultPassword },
  ),
  format(
    "basic-authorization",
    "a name and password for HTTP",
    ["asic "],
    /(?<=\b[Bb])asic (?<secret>[A-Za-z0-9+/]{8,200}={0,2})/,
    { check: checks.isBasicCredentials },
  ),
];

/** The last ones: any format that says more about the same place stands above them. */
const generic: readonly SecretFormat[] = [
  format(
    "bearer-token",
    "a bearer token",
    ["earer "],
    /(?<=\b[Bb])earer (?<secret>[A-Za-z0-9._~+/-]{20,2000}={0,2})/,
    { score: 0.5, check: checks.looksRandom },
  ),
  format(
    "password",
    "a password",
    [
      "password",
      "passwd",
      "passphrase",
      "pwd",
      "passwort",
      "kennwort",
      "contrase",
      "mot de passe",
      "senha",
      "wachtwoord",
    ],
    /(?:password|passwd|passphrase|pwd|passwort|kennwort|contrase(?:ñ|n)a|mot de passe|senha|wachtwoord)(?:[_-]?(?:value|string|\d{1,2}))?["'`\]]{0,2}\s{0,4}(?:=>|:=|={1,3}|:|(?:is|ist|es|est|é):?\s)\s{0,4}(?:"(?<secret>[^\s"]{8,200})"|'(?<secretOr>[^\s']{8,200})'|(?<bare>[^\s"'`,;<>[\]{}()]{8,200}))/,
    { score: 0.5, check: checks.looksLikePassword },
  ),
  format(
    "assigned-secret",
    "a value that is named a secret",
    [
      "secret",
      "token",
      "apikey",
      "api_key",
      "api-key",
      "api key",
      "access_key",
      "access-key",
      "accesskey",
      "private_key",
      "auth_key",
      "authkey",
      "encryption_key",
      "signing_key",
      "credential",
    ],
    /(?<!(?:public_?key|page|next|csrf|xsrf|continuation|sync|cancellation)[_-]?)(?:secret|token|api[_ -]?key|access[_-]?key|private_key|auth_?key|encryption_key|signing_key|credentials?)(?:[_-]?(?:key|value|string|\d{1,2}))?["'`\]]{0,2}\s{0,4}(?:=>|:=|={1,3}|:|(?:is|ist|es|est):?\s)\s{0,4}(?:"(?<secret>[^\s"]{16,200})"|'(?<secretOr>[^\s']{16,200})'|(?<bare>[^\s"'`,;<>[\]{}()]{16,200}))/,
    { score: 0.5, check: checks.looksRandom },
  ),
];

/** In order of what they say: where two hit the same place, the first one is told. */
export const secretFormats: readonly SecretFormat[] = [
  ...cloud,
  ...forges,
  ...chat,
  ...payment,
  ...modelProviders,
  ...registries,
  ...services,
  ...keysAndUrls,
  ...generic,
];

/** Formats whose anchors are words, whatever their case. */
export const wordFormats: ReadonlySet<SecretFormat> = new Set(generic);

const uuid = /^[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}$/i;
const hex32 = /^[a-f0-9]{32}$/;
const hex40 = /^[a-f0-9]{40}$/;
const hex64 = /^[a-f0-9]{64}$/;
const keyUse = /key|token|secret|auth|pass|cred|license/i;

export const contextFormats: readonly ContextFormat[] = [
  {
    id: "aws-secret-access-key",
    what: "an AWS secret access key",
    issuers: ["aws", "amazon"],
    use: /secret|key/i,
    after: "secret/aws-access-key-id",
    pattern: /^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/]{40}$/,
    entropyMin: 4,
  },
  {
    id: "heroku-api-key",
    what: "a Heroku API key",
    issuers: ["heroku"],
    use: keyUse,
    pattern: uuid,
  },
  {
    id: "cloudflare-token",
    what: "a Cloudflare API token or key",
    issuers: ["cloudflare", "cf_api", "cf-api"],
    use: keyUse,
    pattern: /^(?:(?=.*[0-9])[A-Za-z0-9_-]{40}|[a-f0-9]{37})$/,
  },
  {
    id: "datadog-key",
    what: "a Datadog key",
    issuers: ["datadog", "dd_api", "dd-api", "dd_app", "dd-app"],
    use: keyUse,
    pattern: /^[a-f0-9]{32}$|^[a-f0-9]{40}$/,
  },
  {
    id: "twilio-auth-token",
    what: "a Twilio auth token",
    issuers: ["twilio"],
    use: /auth|token|secret/i,
    pattern: hex32,
  },
  {
    id: "pagerduty-key",
    what: "a PagerDuty key",
    issuers: ["pagerduty", "pager_duty"],
    use: keyUse,
    pattern: /^(?:u\+|y_)[A-Za-z0-9_-]{18}$|^[a-f0-9]{32}$/,
  },
  {
    id: "mistral-api-key",
    what: "a Mistral API key",
    issuers: ["mistral"],
    use: keyUse,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])[A-Za-z0-9]{32}$/,
    entropyMin: 3.5,
  },
  {
    id: "cohere-api-key",
    what: "a Cohere API key",
    issuers: ["cohere", "co_api"],
    use: keyUse,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])[A-Za-z0-9]{40}$/,
    entropyMin: 3.5,
  },
  {
    id: "wandb-api-key",
    what: "a Weights & Biases key",
    issuers: ["wandb"],
    use: keyUse,
    pattern: hex40,
  },
  {
    id: "together-api-key",
    what: "a Together AI key",
    issuers: ["together"],
    use: keyUse,
    pattern: hex64,
  },
  {
    id: "azure-openai-key",
    what: "an Azure AI key",
    issuers: ["azure"],
    use: keyUse,
    pattern: hex32,
  },
  {
    id: "azure-storage-key",
    what: "an Azure storage or Cosmos DB account key",
    issuers: ["azure", "cosmos"],
    use: keyUse,
    pattern: /^[A-Za-z0-9+/]{86}$/,
    entropyMin: 4.5,
  },
  {
    id: "mailgun-key",
    what: "a Mailgun key",
    issuers: ["mailgun"],
    use: keyUse,
    pattern: /^[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}$/,
  },
  { id: "snyk-token", what: "a Snyk token", issuers: ["snyk"], use: keyUse, pattern: uuid },
  {
    id: "postmark-token",
    what: "a Postmark token",
    issuers: ["postmark"],
    use: keyUse,
    pattern: uuid,
  },
  {
    id: "scaleway-secret-key",
    what: "a Scaleway secret key",
    issuers: ["scaleway", "scw_"],
    use: keyUse,
    pattern: uuid,
  },
  {
    id: "okta-token",
    what: "an Okta API token",
    issuers: ["okta"],
    use: keyUse,
    pattern: /^00[A-Za-z0-9_-]{40}$/,
  },
  {
    id: "algolia-key",
    what: "an Algolia API key",
    issuers: ["algolia"],
    use: keyUse,
    pattern: hex32,
  },
  {
    id: "snowflake-token",
    what: "a Snowflake token or password",
    issuers: ["snowflake"],
    use: keyUse,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9+/_-]{24,200}$/,
    entropyMin: 4,
  },
  { id: "linode-token", what: "a Linode token", issuers: ["linode"], use: keyUse, pattern: hex64 },
  {
    id: "hetzner-token",
    what: "a Hetzner Cloud token",
    issuers: ["hetzner", "hcloud"],
    use: keyUse,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])[A-Za-z0-9]{64}$/,
    entropyMin: 4,
  },
  {
    id: "alibaba-secret",
    what: "an Alibaba Cloud secret",
    issuers: ["aliyun", "alibaba"],
    use: /secret/i,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])[A-Za-z0-9]{30}$/,
    entropyMin: 3.5,
  },
  {
    id: "vercel-token",
    what: "a Vercel token",
    issuers: ["vercel"],
    use: keyUse,
    pattern: /^(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9]{24}$/,
    entropyMin: 3.5,
  },
];
