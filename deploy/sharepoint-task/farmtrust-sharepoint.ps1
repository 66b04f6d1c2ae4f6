<#
.SYNOPSIS
Runs what farmtrust asks of SharePoint, as an account that reaches SQL Server.
.DESCRIPTION
A scheduled task runs this as a group managed service account. It takes no
parameters: administrators write requests into the folder "requests" beside it,
and it writes one answer for each into "results". A request names one of the
verbs at the end of this file, and holds values that are checked before
anything runs: the two registered issuer names of the procedure, certificates
without keys, sites and names. What is granted, and at which scope, no request
can say. Sign this file and install it with Install-FarmtrustTask.ps1.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# What every script uses and every PowerShell can run.

# Ends a script with an error of ours. Its identity is what callers go by; the
# message is for people.
function Stop-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Message
    )

    $exception = New-Object System.InvalidOperationException $Message
    throw (New-Object System.Management.Automation.ErrorRecord $exception, "farmtrust.$Id", 'InvalidOperation', $null)
}

# A 32-bit PowerShell sees another registry and other programs, and neither
# product's cmdlets.
function Assert-Host {
    [CmdletBinding()]
    param()

    if (-not [Environment]::Is64BitProcess) {
        Stop-Script -Id 'Not64Bit' -Message 'PowerShell runs as a 32-bit process; the remote shell must start the 64-bit one'
    }
}

# Moments travel as text that sorts and reads the same everywhere: Windows
# PowerShell and PowerShell 7 write dates differently in JSON.
function ConvertTo-UtcText {
    [CmdletBinding()]
    param([Nullable[datetime]] $Time)

    if ($null -eq $Time) { return $null }
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    return $Time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", $culture)
}

function ConvertTo-JsonText {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -cnotmatch '[^ !#-\[\]-~]') { return '"' + $Text + '"' }
    $json = New-Object System.Text.StringBuilder
    foreach ($char in $Text.ToCharArray()) {
        if ([string] $char -cmatch '[^ !#-\[\]-~]') { [void] $json.AppendFormat('\u{0:x4}', [int] $char) }
        else { [void] $json.Append($char) }
    }
    return '"' + $json.ToString() + '"'
}

# ConvertTo-Json of Windows PowerShell unwraps nothing it should and cuts at a
# depth without a word; this writes what scripts return, and refuses the rest.
function ConvertTo-AsciiJson {
    [CmdletBinding()]
    param([object] $Value)

    if ($null -eq $Value) { return 'null' }
    if ($Value -is [string]) { return ConvertTo-JsonText -Text $Value }
    if ($Value -is [bool]) { return ([string] $Value).ToLowerInvariant() }
    if ($Value -is [int] -or $Value -is [long]) { return ([long] $Value).ToString([System.Globalization.CultureInfo]::InvariantCulture) }
    if ($Value -is [datetime]) { return ConvertTo-JsonText -Text (ConvertTo-UtcText -Time $Value) }
    if ($Value -is [byte[]]) { return ConvertTo-JsonText -Text ([Convert]::ToBase64String($Value)) }
    $parts = New-Object System.Collections.Generic.List[string]
    if ($Value -is [System.Collections.IDictionary]) {
        foreach ($key in $Value.Keys) { $parts.Add((ConvertTo-JsonText -Text $key) + ':' + (ConvertTo-AsciiJson -Value $Value[$key])) }
        return '{' + ($parts -join ',') + '}'
    }
    if ($Value -is [System.Collections.IList]) {
        foreach ($item in $Value) { $parts.Add((ConvertTo-AsciiJson -Value $item)) }
        return '[' + ($parts -join ',') + ']'
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        foreach ($property in $Value.PSObject.Properties) {
            $parts.Add((ConvertTo-JsonText -Text $property.Name) + ':' + (ConvertTo-AsciiJson -Value $property.Value))
        }
        return '{' + ($parts -join ',') + '}'
    }
    Stop-Script -Id 'NoResult' -Message "a result holds a $($Value.GetType().FullName), which has no JSON form here"
}

# How a script is run, and how its result or its failure is told.

# Parameters that are null in JSON are left to the script's defaults: an empty
# list of the caller's language may well be written as null.
function ConvertTo-Splat {
    [CmdletBinding()]
    param([psobject] $Params)

    $splat = @{}
    foreach ($property in $Params.PSObject.Properties) {
        if ($null -ne $property.Value) { $splat[$property.Name] = $property.Value }
    }
    return $splat
}

# The line of the script that failed stands in the stack trace directly above
# the function that called the script; 0 when the script itself never ran or
# had ended. But for its name and number a frame's text is localized.
function Get-FailedLine {
    [CmdletBinding()]
    param([System.Management.Automation.ErrorRecord] $Record)

    $previous = ''
    foreach ($frame in ([string] $Record.ScriptStackTrace).Split("`n")) {
        if ($frame.Contains('Invoke-Script')) {
            if ($previous -match '<ScriptBlock>.*?(\d+)\s*$') { return [int] $Matches[1] }
            return 0
        }
        $previous = $frame
    }
    return 0
}

function ConvertTo-Failure {
    [CmdletBinding()]
    param([System.Management.Automation.ErrorRecord] $Record)

    # PowerShell wraps what a .NET method throws; the cause is inside.
    $exception = $Record.Exception
    while ($exception -is [System.Management.Automation.RuntimeException] -and $null -ne $exception.InnerException) {
        $exception = $exception.InnerException
    }
    $id = [string] $Record.FullyQualifiedErrorId
    if ($id.StartsWith('farmtrust.')) { $id = $id.Split(',')[0] }
    return [pscustomobject] @{
        id = $id
        message = [string] $exception.Message
        category = [string] $Record.CategoryInfo.Category
        exception = $exception.GetType().FullName
        hresult = [int] $exception.HResult
        line = Get-FailedLine -Record $Record
    }
}

# Runs a script with parameters and returns its one result, or its failure, as
# a field of JSON. Failures are caught here: an error's identity grows by the
# name of each function that it leaves.
function Invoke-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [scriptblock] $Script,
        [psobject] $Params
    )

    try {
        $splat = ConvertTo-Splat -Params $Params
        $results = @(& $Script @splat)
        if ($results.Count -ne 1) {
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results where one is due"
        }
        return '"result":' + (ConvertTo-AsciiJson -Value $results[0])
    }
    catch { return '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
}

# What a script file is known by.

# The SHA-256 of a script's text, whatever its line ends and encoding, without
# the signature that was put at its end: so the same for all who sign it.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r", '')
    $end = $text.IndexOf("`n# SIG # Begin signature block", [System.StringComparison]::Ordinal)
    if ($end -ge 0) { $text = $text.Substring(0, $end) }
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(): under the FIPS policy .NET Framework refuses it.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

# Certificates without their keys.

# Whether bytes are laid out as one certificate in DER and nothing else: a
# sequence that ends where they end and begins with another sequence. A PFX and
# a private key begin with a number, PKCS #7 with an identifier; text is none.
# Source: RFC 5280, 4.1; RFC 7292, 4; RFC 5958, 2.
function Test-CertificateForm {
    [CmdletBinding()]
    param([byte[]] $Der)

    if ($null -eq $Der -or $Der.Length -lt 128 -or $Der[0] -ne 0x30) { return $false }
    $header = 2
    $length = [int] $Der[1]
    if ($length -eq 0x81) {
        $header = 3
        $length = [int] $Der[2]
    }
    elseif ($length -eq 0x82) {
        $header = 4
        $length = 256 * $Der[2] + $Der[3]
    }
    return $header + $length -eq $Der.Length -and $Der[$header] -eq 0x30
}

# An object of a certificate's public part alone. The class reads a PFX as
# readily, and would put its key on disk; so the bytes are looked at first.
# The comma keeps PowerShell from spreading them over several arguments.
function New-PublicCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [byte[]] $Der)

    if (-not (Test-CertificateForm -Der $Der)) {
        Stop-Script -Id 'NotPublic' -Message "$($Der.Length) bytes are not one certificate in DER"
    }
    $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, $Der)
    if ($certificate.HasPrivateKey -or [Convert]::ToBase64String($certificate.RawData) -cne [Convert]::ToBase64String($Der)) {
        Stop-Script -Id 'NotPublic' -Message "the $($Der.Length) bytes hold more than one certificate in DER"
    }
    return $certificate
}

# What every observing script tells of its server.

# Asked last in a script: the clock then belongs to the answer.
function Get-Machine {
    [CmdletBinding()]
    param()

    return [pscustomobject] @{
        name = Get-ComputerName
        domain = Get-DomainName
        forest = Get-ForestName
        windowsBuild = Get-WindowsBuild
        powerShell = [string] $PSVersionTable.PSVersion
        elevated = Test-Elevated
        fips = Test-FipsPolicy
        pendingReboot = Test-PendingReboot
        configurationMode = Get-ConfigurationMode
        clock = Get-MachineTime
    }
}

function Get-ServiceRecord {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    $running = $false
    foreach ($service in Get-Service -Name $Name -ErrorAction SilentlyContinue) { $running = [string] $service.Status -eq 'Running' }
    $since = $null
    if ($running) { $since = Get-ServiceStart -Name $Name }
    return [pscustomobject] @{ name = $Name; running = $running; since = $since }
}

# SharePoint's cmdlets, and its trusts as they are found by what counts.

# 2013, 2016 and 2019 bring a snap-in, Subscription Edition a module.
# Source: SharePointDsc, which draws the line at build 13000.
function Import-SharePoint {
    [CmdletBinding()]
    param()

    $version = Get-SharePointFileVersion
    if ($null -eq $version) { Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is not installed on this server' }
    if ($version.Major -eq 15 -or $version.Build -lt 13000) {
        # Without access to the farm it reports that cmdlets are missing;
        # asking for the farm says so more clearly.
        Add-PSSnapin -Name Microsoft.SharePoint.PowerShell -ErrorAction SilentlyContinue
    }
    else { Import-Module -Name SharePointServer -DisableNameChecking -ErrorAction SilentlyContinue }
}

# The farm, reached through its configuration database. A remote shell has no
# credentials for SQL Server unless delegation is in place; the message alone
# does not tell that from missing rights, but the token tells the worst case.
function Get-Farm {
    [CmdletBinding()]
    param()

    try { $farm = Get-SPFarm }
    catch [System.Management.Automation.CommandNotFoundException] {
        Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is installed here without its cmdlets'
    }
    catch {
        Assert-Elevated
        Stop-Script -Id 'SecondHop' -Message "the SharePoint farm cannot be reached from this session: $($_.Exception.Message)"
    }
    if ($null -eq $farm) { Stop-Script -Id 'SecondHop' -Message 'the SharePoint farm cannot be reached from this session' }
    return $farm
}

# Issuers with a registered name, whatever they are called.
function Find-Issuer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $RegisteredName)

    foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
        if ([string] $issuer.RegisteredIssuerName -eq $RegisteredName) { $issuer }
    }
}

# The mark in an issuer's description that says when its certificate was set:
# what started earlier has not loaded it.
$FarmTrustMark = '\s*\[farmtrust (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)\]'

function ConvertTo-MarkedText {
    [CmdletBinding()]
    param([string] $Text)

    return (($Text -replace $FarmTrustMark, '') + ' [farmtrust ' + (ConvertTo-UtcText -Time (Get-MachineTime)) + ']').Trim()
}

# The mark's time as text; null without one.
function Get-MarkTime {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -match $FarmTrustMark) { return $Matches[1] }
    return $null
}

# The machine itself: who it is, what runs on it since when.

function Get-ComputerName {
    [CmdletBinding()]
    param()

    return [Environment]::MachineName
}

# The account that this runs as, as DOMAIN\name.
function Get-AccountName {
    [CmdletBinding()]
    param()

    return [Environment]::UserDomainName + '\' + [Environment]::UserName
}

# The machine's own clock, UTC: what its services and files are dated by.
function Get-MachineTime {
    [CmdletBinding()]
    param()

    return [datetime]::UtcNow
}

function Test-Elevated {
    [CmdletBinding()]
    param()

    $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

# The forest's name; empty when no domain controller answers this account.
function Get-ForestName {
    [CmdletBinding()]
    param()

    try { return [string] [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain().Forest.Name }
    catch { return '' }
}

# Two places say that Windows waits for a restart. Renames that are pending do
# not count: programs leave such entries for months.
# Source: the PendingReboot resource of ComputerManagementDsc.
function Test-PendingReboot {
    [CmdletBinding()]
    param()

    $windows = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    return (Test-Path -Path "$windows\Component Based Servicing\RebootPending") -or
        (Test-Path -Path "$windows\WindowsUpdate\Auto Update\RebootRequired")
}

# Whether Windows is told to use validated cryptography only, which takes
# managed classes such as SHA256.Create() from .NET Framework. The scripts use
# none of them; the products may.
# Source: Microsoft, "System cryptography: Use FIPS compliant algorithms for
# encryption, hashing, and signing".
function Test-FipsPolicy {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'Enabled', 0) -ne 0
}

# The mode of the Desired State Configuration manager; empty when it does not
# answer, as where it was removed.
function Get-ConfigurationMode {
    [CmdletBinding()]
    param()

    try {
        $answer = Invoke-CimMethod -Namespace 'root/Microsoft/Windows/DesiredStateConfiguration' `
            -ClassName MSFT_DSCLocalConfigurationManager -MethodName GetMetaConfiguration
        return [string] $answer.MetaConfiguration.ConfigurationMode
    }
    catch { return '' }
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '0')
}

# The DNS domain; empty in a workgroup, and where this account may not ask.
function Get-DomainName {
    [CmdletBinding()]
    param()

    try { $system = Get-CimInstance -ClassName Win32_ComputerSystem }
    catch { return '' }
    if ($system.PartOfDomain) { return [string] $system.Domain }
    return ''
}

# When the process of a service started; null when none runs.
function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4')] [string] $Name)

    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'") {
        if ($service.ProcessId -eq 0) { continue }
        foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $($service.ProcessId)") {
            return $process.CreationDate
        }
    }
    return $null
}

# When the oldest worker process of IIS started; null when none runs.
function Get-WorkerStart {
    [CmdletBinding()]
    param()

    $oldest = $null
    foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "Name = 'w3wp.exe'") {
        if ($null -eq $oldest -or $process.CreationDate -lt $oldest) { $oldest = $process.CreationDate }
    }
    return $oldest
}

# The version of the SharePoint program files; null when there are none.
function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()

    foreach ($hive in '16', '15') {
        $file = "$env:CommonProgramFiles\microsoft shared\Web Server Extensions\$hive\ISAPI\Microsoft.SharePoint.dll"
        if ([System.IO.File]::Exists($file)) {
            $version = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($file)
            return New-Object System.Version $version.ProductMajorPart, $version.ProductMinorPart, $version.ProductBuildPart, $version.ProductPrivatePart
        }
    }
    return $null
}

# What SharePoint's cmdlets cannot say, asked of its object model.

# What an app principal may do at the scope of the site subscription, and
# whether it may do so without a user; as Microsoft's own checker reads it.
# Source: Check-SiteMailboxConfig.ps1 in "Configure site mailboxes in
# SharePoint Server".
function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )

    $name = [Microsoft.SharePoint.SPAppPrincipalName]::CreateFromNameIdentifier($RegisteredName)
    $manager = [Microsoft.SharePoint.SPAppPrincipalManager]::GetManager($Web)
    $principal = $manager.LookupAppPrincipal([Microsoft.SharePoint.SPAppPrincipalIdentityProvider]::External, $name)
    if ($null -eq $principal) { return [pscustomobject] @{ Right = ''; AppOnly = $false } }
    $permissions = New-Object Microsoft.SharePoint.SPAppPrincipalPermissionsManager $Web
    $right = [string] $permissions.GetAppPrincipalSiteSubscriptionContentPermission($principal)
    if ($right -notin 'FullControl', 'Manage', 'Write', 'Read') { $right = '' }
    return [pscustomobject] @{ Right = $right; AppOnly = [bool] $permissions.IsAppOnlyPolicyAllowed($principal) }
}

# What a request may hold; everything else is refused before anything runs.
#
# What has to be exact is matched by a pattern or by Equals: -ceq and -ccontains
# pass over characters that nobody sees, such as a soft hyphen.
# Source: Microsoft, String.Compare, on ignorable characters.

# The account of the task is no administrator, nor need it be one.
function Assert-Elevated {
    [CmdletBinding()]
    param()
}

# The registered names of the two issuers of the procedure.
$FarmTrustIssuers = '67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195',
    '67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a'

# The parameters of each verb, and the fields of what they are made of, with
# the kind of each. A kind with a star is a list of such values.
$FarmTrustShapes = @{
    'Get-SharePointFarm' = @{ Sites = 'Site*'; RegisteredNames = 'Issuer*'; Names = 'Name*' }
    'Set-TrustedIssuer' = @{ Name = 'Name'; RegisteredName = 'Issuer'; Certificate = 'Certificate'; Sites = 'Site*' }
    'Add-RootAuthority' = @{ Authorities = 'Authority*' }
    'Remove-RootAuthority' = @{ Thumbprints = 'Thumbprint*' }
    'Restore-TrustedIssuer' = @{
        RegisteredName = 'Issuer'; Ours = 'Thumbprint'; Previous = 'Previous'; Description = 'Description'; Permissions = 'Permission*'
    }
    'Permission' = @{ Site = 'Site'; Right = 'Right'; AppOnly = 'Switch' }
    'Authority' = @{ Name = 'Name'; Certificate = 'Certificate' }
}

# Whether text is base64 of one certificate without a key.
function Test-EncodedCertificate {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text.Length -gt 65536) { return $false }
    try { (New-PublicCertificate -Der ([Convert]::FromBase64String($Text))).Dispose() }
    catch { return $false }
    return $true
}

function Test-Value {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Kind,
        [object] $Value
    )

    if ($FarmTrustShapes.ContainsKey($Kind)) {
        Assert-Shape -Name $Kind -Value $Value
        return $true
    }
    if ($Kind -eq 'Switch') { return $Value -is [bool] }
    if ($Value -isnot [string]) { return $false }
    # \z, since $ also matches before a last line feed.
    if ($Kind -eq 'Issuer') { return $Value -cmatch "\A($($FarmTrustIssuers -join '|'))\z" }
    if ($Kind -eq 'Name') { return $Value -cmatch '\A[^\x00-\x1f\x7f]{1,256}\z' }
    if ($Kind -eq 'Site') { return $Value -cmatch '\Ahttps?://[^\x00-\x20\x7f"<>\\]{1,2000}\z' }
    if ($Kind -eq 'Thumbprint') { return $Value -cmatch '\A[0-9A-F]{40}\z' }
    if ($Kind -eq 'Right') { return $Value -cmatch '\A(Read|Write|Manage|FullControl)?\z' }
    if ($Kind -eq 'Description') { return $Value -cmatch '\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{0,4096}\z' }
    # There was no issuer before.
    if ($Kind -eq 'Previous' -and $Value.Length -eq 0) { return $true }
    if ($Kind -eq 'Previous') { return Test-EncodedCertificate -Text $Value }
    if ($Kind -eq 'Certificate') { return Test-EncodedCertificate -Text $Value }
    return $false
}

# Refuses a value that is not an object with fields of this shape alone. Null
# stands for a field that is left out.
function Assert-Shape {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [object] $Value
    )

    if ($Value -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message "$Name is not an object"
    }
    $shape = $FarmTrustShapes[$Name]
    foreach ($property in $Value.PSObject.Properties) {
        $field = $property.Name
        if (-not $shape.ContainsKey($field)) { Stop-Script -Id 'TaskRefused' -Message "$Name has no field '$field'" }
        if ($null -eq $property.Value) { continue }
        $kind = [string] $shape[$field]
        $values = @(, $property.Value)
        if ($kind.EndsWith('*')) {
            $kind = $kind.TrimEnd('*')
            if ($property.Value -isnot [System.Collections.IList] -or $property.Value.Count -gt 1000) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name is not a list of at most 1000 values"
            }
            $values = $property.Value
        }
        foreach ($one in $values) {
            if (-not (Test-Value -Kind $kind -Value $one)) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name holds what is no $($kind.ToLowerInvariant())"
            }
        }
    }
}

# Requests and answers: files in two folders beside this script. Their access
# lists say who may write which; this trusts nothing that it reads.

# Requests in the order they were written. Names that are not the name of a
# request are not ours to answer.
function Get-RequestFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    $files = @(foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'requests'))) {
        if ([System.IO.Path]::GetFileName($path) -cmatch '\A[0-9a-f]{32}\.json\z') { New-Object System.IO.FileInfo $path }
    })
    return $files | Sort-Object -Property LastWriteTimeUtc
}

# Opens the answer to a request, exclusively and only if nothing has that name:
# that claims the request for this run. Null when it was claimed before.
function Open-Answer {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Id
    )

    $path = [System.IO.Path]::Combine($Folder, 'results', "$Id.json")
    if ([System.IO.File]::Exists($path)) { return $null }
    try { return New-Object System.IO.FileStream $path, 'CreateNew', 'Write', 'None' }
    catch {
        # Lost to another run between the two lines above.
        if ([System.IO.File]::Exists($path)) { return $null }
        throw
    }
}

# Answers stay for an hour, far longer than any request is valid: until then
# the same request is known to be done, and after that it has expired.
function Remove-OldAnswer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'results'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($path) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($path) }
    }
}

# The text of a request, empty if it is a link or too large; null while it is
# being written, when it was taken back, and where this account may not read it:
# one such file must not keep the others waiting.
function Read-RequestText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)

    try {
        if (([int] $File.Attributes -band [int] [System.IO.FileAttributes]::ReparsePoint) -ne 0 -or $File.Length -gt 1048576) { return '' }
        return [System.IO.File]::ReadAllText($File.FullName)
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] { return $null }
}

# A request as an object. One that is not exactly what it should be is refused.
function ConvertTo-Request {
    [CmdletBinding()]
    param(
        [string] $Text,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    try { $request = ConvertFrom-Json -InputObject $Text }
    catch { Stop-Script -Id 'TaskRefused' -Message 'the request is no JSON, a link, or larger than 1 MiB' }
    if ($request -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not an object'
    }
    $fields = @(foreach ($property in $request.PSObject.Properties) { $property.Name })
    if (-not ($fields -join ' ').Equals('id verb script expires params')) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not have the fields id, verb, script, expires and params alone'
    }
    if ($request.id -isnot [string] -or -not $request.id.Equals($Id)) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not the one that its file is named after'
    }
    if ($request.script -isnot [string] -or -not $request.script.Equals($Hash)) {
        Stop-Script -Id 'TaskVersion' -Message 'the request is for another version of this script'
    }
    if ($request.expires -isnot [int] -and $request.expires -isnot [long]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not say when it expires'
    }
    $left = [long] $request.expires - ([DateTimeOffset] (Get-MachineTime)).ToUnixTimeSeconds()
    if ($left -lt 0 -or $left -gt 900) {
        Stop-Script -Id 'TaskRefused' -Message "the request expires in $left seconds, which is not within 15 minutes from now"
    }
    if ($request.verb -isnot [string] -or $request.verb -cnotmatch "\A($($FarmTrustVerbs.Keys -join '|'))\z") {
        Stop-Script -Id 'TaskRefused' -Message 'the request names none of the verbs of this script'
    }
    Assert-Shape -Name $request.verb -Value $request.params
    return $request
}

# Does what a request asks for and writes the answer.
function Complete-Request {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.IO.FileInfo] $File,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    $id = [System.IO.Path]::GetFileNameWithoutExtension($File.Name)
    $text = Read-RequestText -File $File
    if ($null -eq $text) { return }
    $stream = Open-Answer -Folder $Folder -Id $id
    if ($null -eq $stream) { return }
    try {
        try {
            $request = ConvertTo-Request -Text $text -Id $id -Hash $Hash
            $verb = $FarmTrustVerbs[$request.verb]
            $outcome = Invoke-Script -Script $verb -Params $request.params
        }
        catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
        $bytes = [System.Text.Encoding]::ASCII.GetBytes('{"id":"' + $id + '","script":"' + $Hash + '",' + $outcome + '}')
        $stream.Write($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
}

# The verbs: farmtrust's own scripts, word for word.
$FarmTrustVerbs = @{}

$FarmTrustVerbs['Add-RootAuthority'] = {
<#
.SYNOPSIS
Adds certificates to SharePoint's trusted root authorities.
.DESCRIPTION
A certificate that any authority holds, under whatever name, is not added
again. Existing authorities are never changed.
The written procedure adds a self-signed certificate; for one from an authority
every certificate of its chain must be trusted as well.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; "Creating SharePoint Add-ins that
use high-trust authorization".
.PARAMETER Authorities
Objects with Name, used when created, and Certificate, DER in base64.
#>
[CmdletBinding()]
param([object[]] $Authorities = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$added = New-Object System.Collections.Generic.List[string]

foreach ($wanted in $Authorities) {
    $certificate = New-PublicCertificate -Der ([Convert]::FromBase64String($wanted.Certificate))
    $held = $false
    $taken = $false
    foreach ($authority in Get-SPTrustedRootAuthority) {
        if ($null -ne $authority.Certificate -and $authority.Certificate.Thumbprint -eq $certificate.Thumbprint) { $held = $true }
        if ($authority.Name -eq $wanted.Name) { $taken = $true }
    }
    if ($held) { continue }
    if ($taken) {
        Stop-Script -Id 'NameTaken' -Message "root authority '$($wanted.Name)' already exists with another certificate"
    }
    New-SPTrustedRootAuthority -Name $wanted.Name -Certificate $certificate -Confirm:$false | Out-Null
    $added.Add($wanted.Name)
}

[pscustomobject] @{ changed = $added.Count -gt 0; added = $added }
}

$FarmTrustVerbs['Get-SharePointFarm'] = {
<#
.SYNOPSIS
Observes a SharePoint farm: its trusted issuers and root authorities, the app
permissions, its servers.
.DESCRIPTION
Changes nothing. Runs on a front end, with access to the configuration database.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
.PARAMETER Sites
Site collections whose app permissions are read.
.PARAMETER RegisteredNames
The registered names of the issuers looked for, lower case.
.PARAMETER Names
Display names that would be used to create them; issuers that hold one are
shown too.
#>
[CmdletBinding()]
param(
    [string[]] $Sites = @(),
    [string[]] $RegisteredNames = @(),
    [string[]] $Names = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$farm = Get-Farm

$issuers = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    if ($registered -notin $RegisteredNames -and $issuer.Name -notin $Names) { continue }
    $thumbprint = ''
    $der = New-Object byte[] 0
    if ($null -ne $issuer.SigningCertificate) {
        $thumbprint = [string] $issuer.SigningCertificate.Thumbprint
        $der = $issuer.SigningCertificate.RawData
    }
    [pscustomobject] @{
        name = [string] $issuer.Name
        registeredName = $registered
        thumbprint = $thumbprint
        certificate = $der
        # There is no IsTrustBroker to read: IsSelfIssuer is its complement.
        trustBroker = -not $issuer.IsSelfIssuer
        description = [string] $issuer.Description
        since = Get-MarkTime -Text $issuer.Description
    }
})

$authorities = @(foreach ($authority in Get-SPTrustedRootAuthority) {
    $thumbprint = ''
    if ($null -ne $authority.Certificate) { $thumbprint = [string] $authority.Certificate.Thumbprint }
    [pscustomobject] @{ name = [string] $authority.Name; thumbprint = $thumbprint }
})

$permissions = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
        foreach ($registered in $RegisteredNames) {
            $permission = Get-AppPermission -Web $site.RootWeb -RegisteredName $registered
            [pscustomobject] @{
                site = $url
                registeredName = $registered
                right = $permission.Right
                appOnly = $permission.AppOnly
            }
        }
    }
    finally { $site.Dispose() }
})

# By type: the name that a service application shows is localized.
$profileServices = @(foreach ($service in Get-SPServiceApplication) {
    if ($service.GetType().FullName -eq 'Microsoft.Office.Server.Administration.UserProfileApplication') { $service }
})

# The role Invalid is that of database and mail servers.
$members = @(foreach ($server in Get-SPServer) {
    if ([string] $server.Role -ne 'Invalid') { [string] $server.Name }
})

[pscustomobject] @{
    version = [string] $farm.BuildVersion
    issuers = $issuers
    rootAuthorities = $authorities
    permissions = $permissions
    userProfileServices = $profileServices.Count
    members = $members
    machine = Get-Machine
}
}

$FarmTrustVerbs['Remove-RootAuthority'] = {
<#
.SYNOPSIS
Removes SharePoint's trusted root authorities that hold one of the certificates.
.DESCRIPTION
Found by certificate, whatever they are called. The farm's own authority, local,
is never touched.
Source: Microsoft, Remove-SPTrustedRootAuthority; KB2545744 on the authority
local.
.PARAMETER Thumbprints
The certificates.
#>
[CmdletBinding()]
param([ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$names = @(foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -eq 'local' -or $null -eq $authority.Certificate) { continue }
    if ($authority.Certificate.Thumbprint -in $Thumbprints) { [string] $authority.Name }
})

foreach ($name in $names) { Remove-SPTrustedRootAuthority -Identity $name -Confirm:$false | Out-Null }

foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -in $names) {
        Stop-Script -Id 'SettingNotKept' -Message "root authority '$($authority.Name)' is still there after it was removed"
    }
}

[pscustomobject] @{ changed = $names.Count -gt 0; removed = $names }
}

$FarmTrustVerbs['Restore-TrustedIssuer'] = {
<#
.SYNOPSIS
Puts a trusted security token issuer back to what it was before a rotation.
.DESCRIPTION
Acts only on what the rotation made: an issuer that holds its certificate, an
app principal with its full control. An issuer that was there before gets its
certificate and description back and is never removed; the moment is noted, for
servers have to load it again. One that was not there is removed, after its
permissions.
Source: Microsoft, Set-SPTrustedSecurityTokenIssuer,
Remove-SPTrustedSecurityTokenIssuer, Remove-SPAppPrincipalPermission.
.PARAMETER RegisteredName
The registered issuer name.
.PARAMETER Ours
The thumbprint that the rotation set.
.PARAMETER Previous
The certificate of before, DER in base64; empty when there was no issuer.
.PARAMETER Description
The description of before.
.PARAMETER Permissions
What the app principal might do before: objects with Site, Right, AppOnly.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f-]{36}@[0-9a-f-]{36}$')] [string] $RegisteredName,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Ours,
    [string] $Previous = '',
    [string] $Description = '',
    [object[]] $Permissions = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Whether two permissions are the same; without a right, the rest is nothing.
function Test-SamePermission {
    [CmdletBinding()]
    param([object] $One, [object] $Other)

    return $One.Right -eq $Other.Right -and ($One.Right -eq '' -or [bool] $One.AppOnly -eq [bool] $Other.AppOnly)
}

# The app principal on a site; null when none is known there by that name.
function Find-AppPrincipal {
    [CmdletBinding()]
    param([string] $Site, [object] $Issuer)

    if ($null -ne $Issuer) { return Get-SPAppPrincipal -Site $Site -NameIdentifier $Issuer.NameId }
    # Whether the principal outlives its issuer is not documented.
    try { return Get-SPAppPrincipal -Site $Site -NameIdentifier $RegisteredName }
    catch { return $null }
}

# Puts the permission on one site back; says whether it did.
function Restore-AppPermission {
    [CmdletBinding()]
    param([object] $Web, [object] $Was, [object] $Issuer)

    $now = Get-AppPermission -Web $Web -RegisteredName $RegisteredName
    if (Test-SamePermission -One $now -Other $Was) { return $false }
    $ours = $now.Right -eq 'FullControl' -and $now.AppOnly
    # No right at all stands between the two calls below.
    $between = $now.Right -eq '' -and -not (Test-SamePermission -One $Was -Other @{ Right = 'FullControl'; AppOnly = $true })
    if (-not $ours -and -not $between) {
        Stop-Script -Id 'ChangedSince' -Message (
            "the app permission of $RegisteredName at $($Was.Site) is '$($now.Right)': neither full control without a user nor '$($Was.Right)'")
    }
    $app = Find-AppPrincipal -Site $Was.Site -Issuer $Issuer
    if ($null -eq $app) {
        if ($null -eq $Issuer) { return $false }
        Stop-Script -Id 'AppPrincipalMissing' -Message "$($Was.Site) knows no app principal $RegisteredName"
    }
    # Inferred: a lesser right that is set leaves app-only access as it is, since
    # only Remove- has a switch that ends it.
    if ($now.Right -ne '') {
        Remove-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -DisableAppOnlyPolicy -Confirm:$false | Out-Null
    }
    if ($Was.Right -ne '' -and $Was.AppOnly) {
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -Right $Was.Right -EnableAppOnlyPolicy -Confirm:$false | Out-Null
    }
    elseif ($Was.Right -ne '') {
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -Right $Was.Right -Confirm:$false | Out-Null
    }
    if (-not (Test-SamePermission -One (Get-AppPermission -Web $Web -RegisteredName $RegisteredName) -Other $Was)) {
        Stop-Script -Id 'SettingNotKept' -Message "the app permission of $RegisteredName at $($Was.Site) is not what it was put back to"
    }
    return $true
}

Import-SharePoint
$null = Get-Farm
$before = $null
$wanted = ''
if ($Previous -ne '') {
    $before = New-PublicCertificate -Der ([Convert]::FromBase64String($Previous))
    $wanted = $before.Thumbprint
}
$found = @(Find-Issuer -RegisteredName $RegisteredName)
if ($found.Count -gt 1) {
    Stop-Script -Id 'IssuerAmbiguous' -Message "$($found.Count) issuers have the registered name $RegisteredName"
}
$issuer = $null
$held = ''
if ($found.Count -eq 1) {
    $issuer = $found[0]
    $held = 'no certificate'
    if ($null -ne $issuer.SigningCertificate) { $held = [string] $issuer.SigningCertificate.Thumbprint }
}
if ($held -ne $wanted -and $held -ne $Ours) {
    Stop-Script -Id 'ChangedSince' -Message "the issuer $RegisteredName holds '$held', neither '$Ours' nor '$wanted'"
}

$restored = @(foreach ($was in $Permissions) {
    $site = Get-SPSite -Identity $was.Site
    try { if (Restore-AppPermission -Web $site.RootWeb -Was $was -Issuer $issuer) { $was.Site } }
    finally { $site.Dispose() }
})

$due = $held -ne $wanted
if ($due -and $null -ne $before) {
    $text = ConvertTo-MarkedText -Text $Description
    # A trust broker stays one only if that is said again.
    if (-not $issuer.IsSelfIssuer) {
        Set-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Certificate $before -RegisteredIssuerName $RegisteredName `
            -Description $text -IsTrustBroker -Confirm:$false | Out-Null
    }
    else {
        Set-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Certificate $before -RegisteredIssuerName $RegisteredName `
            -Description $text -Confirm:$false | Out-Null
    }
}
elseif ($due) { Remove-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Confirm:$false | Out-Null }

$left = ''
foreach ($one in Find-Issuer -RegisteredName $RegisteredName) { $left = [string] $one.SigningCertificate.Thumbprint }
if ($left -ne $wanted) {
    Stop-Script -Id 'SettingNotKept' -Message "the issuer $RegisteredName holds '$left' after it was put back to '$wanted'"
}

[pscustomobject] @{
    changed = $due -or $restored.Count -gt 0
    updated = $due -and $null -ne $before
    removed = $due -and $null -eq $before
    permissions = $restored
}
}

$FarmTrustVerbs['Set-TrustedIssuer'] = {
<#
.SYNOPSIS
Registers a trusted security token issuer, or gives it another certificate,
and grants its app principal full control.
.DESCRIPTION
The issuer is found by its registered name and updated in place, whatever it
is called. The moment is noted at the end of its description. The permission
is given on the root web of each site, at the scope of the site subscription,
unless it is there already.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "To register a trusted token issuer".
.PARAMETER Name
The display name, if the issuer is created.
.PARAMETER RegisteredName
The registered issuer name.
.PARAMETER Certificate
The issuer's certificate, DER in base64.
.PARAMETER Sites
Top-level site collections.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Name,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f-]{36}@[0-9a-f-]{36}$')] [string] $RegisteredName,
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Certificate,
    [Parameter(Mandatory = $true)] [ValidateCount(1, 1000)] [string[]] $Sites
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$signing = New-PublicCertificate -Der ([Convert]::FromBase64String($Certificate))
$created = $false
$updated = $false

$found = @(Find-Issuer -RegisteredName $RegisteredName)
if ($found.Count -gt 1) {
    Stop-Script -Id 'IssuerAmbiguous' -Message "$($found.Count) issuers have the registered name $RegisteredName"
}
if ($found.Count -eq 0) {
    foreach ($other in Get-SPTrustedSecurityTokenIssuer) {
        if ($other.Name -eq $Name) {
            Stop-Script -Id 'NameTaken' -Message "issuer '$Name' already exists with the registered name '$($other.RegisteredIssuerName)'"
        }
    }
    New-SPTrustedSecurityTokenIssuer -Name $Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
        -Description (ConvertTo-MarkedText -Text '') -Confirm:$false | Out-Null
    $created = $true
}
elseif ($null -eq $found[0].SigningCertificate -or $found[0].SigningCertificate.Thumbprint -ne $signing.Thumbprint) {
    # Before Subscription Edition both the certificate and the registered name
    # are mandatory; a trust broker stays one only if that is said again.
    $broker = -not $found[0].IsSelfIssuer
    $description = ConvertTo-MarkedText -Text $found[0].Description
    if ($broker) {
        Set-SPTrustedSecurityTokenIssuer -Identity $found[0].Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
            -Description $description -IsTrustBroker -Confirm:$false | Out-Null
    }
    else {
        Set-SPTrustedSecurityTokenIssuer -Identity $found[0].Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
            -Description $description -Confirm:$false | Out-Null
    }
    $updated = $true
}

$issuer = @(Find-Issuer -RegisteredName $RegisteredName)[0]
if ($issuer.SigningCertificate.Thumbprint -ne $signing.Thumbprint) {
    Stop-Script -Id 'SettingNotKept' -Message "issuer '$($issuer.Name)' does not have the certificate that was set"
}

$granted = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
        $permission = Get-AppPermission -Web $site.RootWeb -RegisteredName $RegisteredName
        if ($permission.Right -eq 'FullControl' -and $permission.AppOnly) { continue }
        $app = Get-SPAppPrincipal -Site $url -NameIdentifier $issuer.NameId
        if ($null -eq $app) {
            Stop-Script -Id 'AppPrincipalMissing' -Message "$url knows no app principal $($issuer.NameId)"
        }
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $site.RootWeb -Scope SiteSubscription -Right FullControl `
            -EnableAppOnlyPolicy -Confirm:$false | Out-Null
        $url
    }
    finally { $site.Dispose() }
})

[pscustomobject] @{
    changed = $created -or $updated -or $granted.Count -gt 0
    created = $created
    updated = $updated
    granted = $granted
    name = [string] $issuer.Name
}
}

# The task itself: whatever waits, one after the other.
$FarmTrustHash = Get-ScriptHash -Path $PSCommandPath
Remove-OldAnswer -Folder $PSScriptRoot
foreach ($file in Get-RequestFile -Folder $PSScriptRoot) {
    Complete-Request -File $file -Folder $PSScriptRoot -Hash $FarmTrustHash
}
