<#
.SYNOPSIS
Runs farmtrust's SharePoint scripts as an account that can reach SQL Server.
.DESCRIPTION
A scheduled task runs this script as a group managed service account. It takes no
parameters: administrators write requests into the folder "requests" beside it,
and it writes a result for each into "results". A request names one of the verbs
at the end of this file and contains values that are checked before anything
runs: the two registered issuer names of the procedure, certificates without
keys, sites and names. No request can choose which right is granted, or at which
scope. Sign this file and install it with Install-FarmtrustTask.ps1.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Functions that every script uses and that run on every PowerShell.

# Ends a script with one of farmtrust's own errors. Callers decide by its ID; the
# message is for the reader.
function Stop-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Message
    )

    $exception = New-Object System.InvalidOperationException $Message
    throw (New-Object System.Management.Automation.ErrorRecord $exception, "farmtrust.$Id", 'InvalidOperation', $null)
}

# A 32-bit PowerShell has another view of the registry and of Program Files, and
# the cmdlets of neither product.
function Assert-Host {
    [CmdletBinding()]
    param()

    if (-not [Environment]::Is64BitProcess) {
        Stop-Script -Id 'Not64Bit' -Message 'PowerShell runs as a 32-bit process; the remote shell must start the 64-bit one'
    }
}

# Formats times as ISO 8601 text, since Windows PowerShell and PowerShell 7 write
# dates differently in JSON.
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

# Writes the types that scripts return and fails on any other. ConvertTo-Json of
# Windows PowerShell does not unwrap what it should, and truncates silently at
# its depth limit.
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

# Runs a script and writes its result, or its error, as JSON.

# Leaves out parameters that are null in JSON, so that the script's defaults
# apply: the caller's language may write an empty list as null.
function ConvertTo-Splat {
    [CmdletBinding()]
    param([psobject] $Params)

    $splat = @{}
    foreach ($property in $Params.PSObject.Properties) {
        if ($null -ne $property.Value) { $splat[$property.Name] = $property.Value }
    }
    return $splat
}

# Returns the line at which the script failed, or 0 when the script had not
# started or had already ended. In the stack trace it is in the frame directly
# above that of the function that called the script. Except for its name and its
# number, the text of a frame is localized.
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

    # PowerShell wraps the exception of a .NET method; the cause is inside.
    $exception = $Record.Exception
    while ($exception -is [System.Management.Automation.RuntimeException] -and $null -ne $exception.InnerException) {
        $exception = $exception.InnerException
    }
    $message = [string] $exception.Message
    if ($message.Length -gt 2000) { $message = $message.Substring(0, 1997) + '...' }
    $id = [string] $Record.FullyQualifiedErrorId
    if ($id.StartsWith('farmtrust.')) { $id = $id.Split(',')[0] }
    return [pscustomobject] @{
        id = $id
        message = $message
        category = [string] $Record.CategoryInfo.Category
        exception = $exception.GetType().FullName
        hresult = [int] $exception.HResult
        line = Get-FailedLine -Record $Record
    }
}

# Returns what cmdlets warned of as a field of JSON, or an empty text. A product
# that warns of the same thing for each object must not fill the report.
function ConvertTo-WarningField {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [System.Collections.Generic.List[string]] $Warnings)

    $kept = New-Object System.Collections.Generic.List[string]
    foreach ($warning in $Warnings) {
        $text = $warning.Trim()
        if ($text.Length -gt 500) { $text = $text.Substring(0, 497) + '...' }
        if ($text -ne '' -and $kept.Count -lt 5 -and -not $kept.Contains($text)) { $kept.Add($text) }
    }
    if ($kept.Count -eq 0) { return '' }
    return ',"warnings":' + (ConvertTo-AsciiJson -Value $kept)
}

# Runs a script with parameters and returns its one result, or its error, as a
# field of JSON, and as another one what cmdlets warned of: Windows PowerShell
# would print that among the output. Errors are caught here and not further out,
# because each function that an error passes through adds its name to the error's
# ID. A script that changes something holds the server's mutex from before its first
# look to its end.
function Invoke-Script {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [scriptblock] $Script,
        [psobject] $Params
    )

    $warnings = New-Object System.Collections.Generic.List[string]
    $mutex = $null
    try {
        if (Test-ChangingScript -Name $Name) { $mutex = Lock-Server }
        $splat = ConvertTo-Splat -Params $Params
        # One by one, so that the warnings before an error are not lost.
        $results = @(& $Script @splat 3>&1 | ForEach-Object -Process {
            # The comma keeps a result that is a list together.
            if ($_ -is [System.Management.Automation.WarningRecord]) { $warnings.Add($_.Message) } else { , $_ }
        })
        if ($results.Count -ne 1) {
            Stop-Script -Id 'NoResult' -Message "the script returned $($results.Count) results instead of one"
        }
        $outcome = '"result":' + (ConvertTo-AsciiJson -Value $results[0])
    }
    catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
    finally { if ($null -ne $mutex) { Unlock-Server -Mutex $mutex } }
    return $outcome + (ConvertTo-WarningField -Warnings $warnings)
}

# The hash that identifies a version of a script file.

# Returns the SHA-256 of a script's text. Line ends, encoding and the signature at
# its end do not count, so that the hash is the same no matter who signed the script. A
# signature is a block of comments at the very end, of nothing but base64: whatever else
# follows its first line may be code. A carriage return alone ends a line for PowerShell,
# so it counts.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r`n", "`n").TrimEnd()
    $signature = '\n# SIG # Begin signature block\n(?:# [A-Za-z0-9+/]+={0,2}\n)+# SIG # End signature block\z'
    $text = $text -creplace $signature, ''
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(), which .NET Framework rejects under the FIPS policy.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

# Certificates without their keys.

# Reports whether bytes have the form of one certificate in DER and nothing else:
# a sequence that ends where they end and whose first element is a sequence. In
# a PFX and in a private key the first element is an integer, in PKCS #7 an
# object identifier; text is not a sequence.
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

# Returns a certificate object without a key. The bytes are checked first because
# the class would also read a PFX, and would then write its key to disk. The
# comma keeps PowerShell from spreading the bytes over several arguments.
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

# The server itself, as every observing script returns it.

# Returns the name of the machine's own forest, or an empty text when it is not
# known. Where the known domains are of several forests, or one could not be found,
# it is the forest that the machine's domain is named in.
function Get-ForestName {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Domain)

    $known = @(Get-KnownForest | Sort-Object -Unique)
    if ($known.Count -eq 1) { return $known[0] }
    $own = @(foreach ($forest in $known) {
        if ($forest -ne '' -and ".$Domain".EndsWith(".$forest", [System.StringComparison]::OrdinalIgnoreCase)) { $forest }
    })
    if ($own.Count -eq 1) { return $own[0] }
    return ''
}

# Scripts call this last, so that the clock is that of the moment of the result.
function Get-Machine {
    [CmdletBinding()]
    param()

    $domain = Get-DomainName
    return [pscustomobject] @{
        name = Get-ComputerName
        domain = $domain
        forest = Get-ForestName -Domain $domain
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

# One changing script at a time on a server, whatever its callers believe: a script
# whose caller was lost, or was taken for lost, may still run when the next attempt
# begins.

# Reports whether a script changes something. Those that only observe are named Get.
# Invoke-SharePointTask leaves the change to the process of the task, which may outlive
# it, and which would wait for it in vain.
function Test-ChangingScript {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    return -not $Name.StartsWith('Get-', [System.StringComparison]::Ordinal) -and $Name -cne 'Invoke-SharePointTask'
}

# Returns the server's mutex, which this thread then holds. When a process ends, Windows
# releases what it held, and tells the next one that it was abandoned: each script
# observes before it changes anything, so what the process left half done is no reason
# to stop.
function Lock-Server {
    [CmdletBinding()]
    param()

    # Five seconds, and as many before them where another account has the mutex open,
    # which this one may not.
    foreach ($try in 1..20) {
        try { $mutex = Open-ServerMutex }
        catch [System.UnauthorizedAccessException] {
            Start-Sleep -Milliseconds 250
            continue
        }
        try { $held = Wait-ServerMutex -Mutex $mutex -Milliseconds 5000 }
        catch [System.Threading.AbandonedMutexException] { $held = $true }
        if ($held) { return $mutex }
        break
    }
    $message = 'another step of farmtrust runs on this server'
    $others = @(Get-OtherRun | Sort-Object -Property Since)
    if ($others.Count -gt 0) { $message += " since $(ConvertTo-UtcText -Time $others[0].Since) (process $($others[0].Id))" }
    Stop-Script -Id 'ServerBusy' -Message $message
}

# SharePoint's cmdlets, and its issuers.

# SharePoint 2013, 2016 and 2019 have a snap-in, Subscription Edition has a module.
# Source: SharePointDsc, which tells them apart by build 13000.
function Import-SharePoint {
    [CmdletBinding()]
    param()

    $version = Get-SharePointFileVersion
    if ($null -eq $version) { Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is not installed on this server' }
    if ($version.Major -eq 15 -or $version.Build -lt 13000) {
        # Without access to the farm the snap-in reports missing cmdlets; the
        # error of Get-SPFarm is clearer.
        Add-PSSnapin -Name Microsoft.SharePoint.PowerShell -ErrorAction SilentlyContinue
    }
    else { Import-Module -Name SharePointServer -DisableNameChecking -ErrorAction SilentlyContinue }
}

# The numbers of SQL Server and of its client that a failover, a restart or the
# network explains: no server or no answer, a connection that broke, a database or
# replica that is not ready yet, a server that admits administrators only while it
# is updated, which names the account as a refusal for good does.
# Source: Microsoft, "Database Engine events and errors" and
# SqlConfigurableRetryFactory.BaselineTransientErrors.
$FarmTrustSqlAway = -2, -1, 2, 53, 64, 121, 233, 258, 10053, 10054, 10060, 10061, 11001, 921, 922, 927, 952, 976, 978, 983, 988, 6005, 17142, 17187, 18401, 18461, 40613

# Returns the farm, which the cmdlet reads from the configuration database.
function Get-Farm {
    [CmdletBinding()]
    param()

    try { $farm = Get-SPFarm }
    catch [System.Management.Automation.CommandNotFoundException] {
        Stop-Script -Id 'NotSharePoint' -Message 'SharePoint is installed here without its cmdlets'
    }
    catch {
        Assert-FarmRights
        Stop-UnreachableFarm -Because $_.Exception.Message
    }
    if ($null -eq $farm) { Stop-UnreachableFarm -Because 'Get-SPFarm returned nothing' }
    return $farm
}

# Ends with the cause of a farm that cannot be reached. The product has one message
# for all of them, so SQL Server is asked: it tells by number, and by the account
# that it saw. An account without credentials for another machine is seen there as
# anonymous.
function Stop-UnreachableFarm {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Because)

    $database = Open-ConfigurationDatabase
    if ($null -eq $database) { Stop-Script -Id 'FarmUnreachable' -Message "the SharePoint farm cannot be reached: $Because" }
    # A failure of the client's own, as of Kerberos, has the number 0 too.
    if ($database.Number -eq 0 -and $database.Message -eq '') {
        Stop-Script -Id 'FarmUnreachable' -Message "SQL Server opens the configuration database, yet the SharePoint farm cannot be reached: $Because"
    }
    $text = "$Because SQL Server's error $($database.Number): $($database.Message)"
    if ($database.Number -in $FarmTrustSqlAway) { Stop-Script -Id 'SqlUnavailable' -Message $text }
    if ($database.Number -eq 4060) { Stop-ClosedDatabase -State $database.State -Message $text }
    $account = Get-AccountName
    $named = $database.Message.IndexOf($account, [System.StringComparison]::OrdinalIgnoreCase) -ge 0
    if ($named) { Stop-Script -Id 'NoFarmAccess' -Message $text }
    # 18452 is a login without credentials that SQL Server accepts.
    if ($database.Number -in 18456, 18452) { Stop-Script -Id 'SecondHop' -Message "$account is not who reaches SQL Server. $text" }
    Stop-Script -Id 'FarmUnreachable' -Message $text
}

# Error 4060 means that the login was accepted and the database was not opened: the
# account may not, or the database is not online, as during a failover. The server's
# list of databases, which any login may read by default, tells the two apart. Where
# it does not, nothing is known.
function Stop-ClosedDatabase {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $State,
        [Parameter(Mandatory = $true)] [string] $Message
    )

    if ($State -eq '') { Stop-Script -Id 'FarmUnreachable' -Message $Message }
    if ($State -eq '0') { Stop-Script -Id 'NoFarmAccess' -Message $Message }
    Stop-Script -Id 'SqlUnavailable' -Message "$Message (the database is in state $State)"
}

# Returns the issuers with a registered name, whatever their display names.
function Find-Issuer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $RegisteredName)

    foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
        if ([string] $issuer.RegisteredIssuerName -eq $RegisteredName) { $issuer }
    }
}

# Reports whether a root authority's certificate is a certificate itself, or in its
# chain of root authorities, which are found by name. A chain is never longer than
# their list.
function Test-Chain {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Certificate,
        [Parameter(Mandatory = $true)] [object] $Authority,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Among
    )

    $chain = @($Certificate)
    foreach ($next in $Among) {
        foreach ($candidate in $Among) {
            if ($null -ne $candidate.Certificate -and $candidate.Certificate.Subject -eq $chain[-1].Issuer) {
                $chain += $candidate.Certificate
                break
            }
        }
    }
    foreach ($link in $chain) {
        if ($link.Thumbprint -eq $Authority.Thumbprint) { return $true }
    }
    return $false
}

# The mark in an issuer's description that records when its certificate was set.
# A process that started earlier has not loaded that certificate.
$FarmTrustMark = '\s*\[farmtrust (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)\]'

function ConvertTo-MarkedText {
    [CmdletBinding()]
    param([string] $Text)

    return (($Text -replace $FarmTrustMark, '') + ' [farmtrust ' + (ConvertTo-UtcText -Time (Get-MachineTime)) + ']').Trim()
}

# Returns the time of the mark as text, or null when there is no mark.
function Get-MarkTime {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text -match $FarmTrustMark) { return $Matches[1] }
    return $null
}

# The machine itself: its name, its settings, and since when its processes run.

function Get-ComputerName {
    [CmdletBinding()]
    param()

    return [Environment]::MachineName
}

# Returns the account that this session runs as, as DOMAIN\name.
function Get-AccountName {
    [CmdletBinding()]
    param()

    return [Environment]::UserDomainName + '\' + [Environment]::UserName
}

# Returns the machine's own time in UTC, the clock that also dates its services and
# files.
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

# Returns the names of the forests of the domains that this machine knows: its own
# domain and those that it trusts. A name is empty when no domain controller of the
# domain was found. Netlogon knows these names, so the session needs no credentials
# that a domain controller would take.
# Source: Microsoft, Win32_NTDomain; that it needs no second hop is inferred.
function Get-KnownForest {
    [CmdletBinding()]
    param()

    try { $domains = @(Get-CimInstance -ClassName Win32_NTDomain) }
    catch { return }
    foreach ($domain in $domains) {
        # The machine itself is listed too, without the name of a domain.
        if ([string] $domain.DomainName -ne '') { [string] $domain.DnsForestName }
    }
}

# Reports whether Windows waits for a restart, for which it has two markers.
# Pending file renames do not count: programs leave such entries for months.
# Source: the PendingReboot resource of ComputerManagementDsc.
function Test-PendingReboot {
    [CmdletBinding()]
    param()

    $windows = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    return (Test-Path -Path "$windows\Component Based Servicing\RebootPending") -or
        (Test-Path -Path "$windows\WindowsUpdate\Auto Update\RebootRequired")
}

# Reports whether the FIPS policy is on, under which managed classes such as
# SHA256.Create() fail in .NET Framework. The scripts use none of these classes;
# the products may.
# Source: Microsoft, "System cryptography: Use FIPS compliant algorithms for
# encryption, hashing, and signing".
function Test-FipsPolicy {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'Enabled', 0) -ne 0
}

# Returns the mode of the Desired State Configuration manager, or an empty text
# when the manager does not respond, for example because it was removed.
function Get-ConfigurationMode {
    [CmdletBinding()]
    param()

    try {
        $current = Invoke-CimMethod -Namespace 'root/Microsoft/Windows/DesiredStateConfiguration' `
            -ClassName MSFT_DSCLocalConfigurationManager -MethodName GetMetaConfiguration
        return [string] $current.MetaConfiguration.ConfigurationMode
    }
    catch { return '' }
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '0')
}

# Returns the DNS domain, or an empty text in a workgroup and when this account may
# not read it.
function Get-DomainName {
    [CmdletBinding()]
    param()

    try { $system = Get-CimInstance -ClassName Win32_ComputerSystem }
    catch { return '' }
    if ($system.PartOfDomain) { return [string] $system.Domain }
    return ''
}

# Returns when the process of a service started, or null when none runs.
function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4', 'W3SVC', 'WAS')] [string] $Name)

    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'") {
        if ($service.ProcessId -eq 0) { continue }
        foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $($service.ProcessId)") {
            return $process.CreationDate
        }
    }
    return $null
}

# Returns when the oldest worker process of IIS started, or null when none runs.
function Get-WorkerStart {
    [CmdletBinding()]
    param()

    $oldest = $null
    foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "Name = 'w3wp.exe'") {
        if ($null -eq $oldest -or $process.CreationDate -lt $oldest) { $oldest = $process.CreationDate }
    }
    return $oldest
}

# Returns the version of the SharePoint program files, or null when there are none.
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

# The mutex that scripts hold while they change something. It exists while a process
# has it open, and leaves nothing behind.

# Opens the mutex, or creates it. Administrators and the system may use it, so that the
# account of one connection is not refused that of another. The account of the SharePoint
# task is no administrator: it creates the mutex, or is refused while another has it open.
# Source: Microsoft, Mutex(Boolean, String, Boolean, MutexSecurity).
function Open-ServerMutex {
    [CmdletBinding()]
    param()

    $security = New-Object System.Security.AccessControl.MutexSecurity
    foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
        $account = New-Object System.Security.Principal.SecurityIdentifier $sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.MutexAccessRule $account, 'FullControl', 'Allow'))
    }
    $created = $false
    return New-Object System.Threading.Mutex $false, 'Global\farmtrust', ([ref] $created), $security
}

# Reports whether this thread holds the mutex before the time has passed. A mutex that
# its last holder abandoned is held too, and is an exception.
# Source: Microsoft, AbandonedMutexException.
function Wait-ServerMutex {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex,
        [Parameter(Mandatory = $true)] [int] $Milliseconds
    )

    return $Mutex.WaitOne($Milliseconds)
}

# Releases the mutex, on the thread that holds it.
function Unlock-Server {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex)

    $Mutex.ReleaseMutex()
    $Mutex.Dispose()
}

# Returns the other processes of farmtrust: number and start. One of them holds the
# mutex, or waits for it, or only observes. An account that is no administrator sees
# the command lines of its own processes only.
function Get-OtherRun {
    [CmdletBinding()]
    param()

    try { $processes = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = 'powershell.exe'") }
    catch { return }
    foreach ($process in $processes) {
        $line = [string] $process.CommandLine
        $ours = $line.Contains(' -InputFormat Text -OutputFormat Text -EncodedCommand ') -or $line.Contains('farmtrust-sharepoint.ps1')
        if ($ours -and $process.ProcessId -ne $PID) { [pscustomobject] @{ Id = [int] $process.ProcessId; Since = $process.CreationDate } }
    }
}

# What SharePoint's cmdlets cannot return, read from its object model and from SQL
# Server.

# Returns the right of an app principal at the scope of the site subscription, and
# whether it may act without a user, in the same way as Microsoft's own checker.
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

# Returns the connection string of the configuration database, or null when it
# cannot be read, or when it logs on to SQL Server as another account than this one.
# The farm may wait for a connection as long as it likes; a script may not.
# Source: SharePointDsc (SPFarm), which reads the same value; Microsoft does not
# document it.
function Get-ConfigurationString {
    [CmdletBinding()]
    param()

    foreach ($hive in '16', '15') {
        $key = "HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Shared Tools\Web Server Extensions\$hive.0\Secure\ConfigDB"
        try {
            $found = New-Object System.Data.SqlClient.SqlConnectionStringBuilder ([string] [Microsoft.Win32.Registry]::GetValue($key, 'dsn', ''))
            if ($found['Initial Catalog'] -eq '' -or -not $found['Integrated Security']) { continue }
            $found['Connect Timeout'] = 15
            return $found
        }
        catch { continue }
    }
    return $null
}

# Opens the configuration database as this account. Returns the number and the
# message of the error, 0 and an empty text for none, and after error 4060 the state
# of the database, 0 for online and empty when the server does not show it. Returns
# null when it is not known where the database is.
# Source: Microsoft, SqlException.Number; MSSQLSERVER_18456 and 4060.
function Open-ConfigurationDatabase {
    [CmdletBinding()]
    param()

    $string = Get-ConfigurationString
    if ($null -eq $string) { return $null }
    $connection = New-Object System.Data.SqlClient.SqlConnection $string.ToString()
    try {
        $connection.Open()
        return [pscustomobject] @{ Number = 0; Message = ''; State = '0' }
    }
    catch {
        $failure = $_.Exception
        while ($failure -isnot [System.Data.SqlClient.SqlException] -and $null -ne $failure.InnerException) { $failure = $failure.InnerException }
        if ($failure -isnot [System.Data.SqlClient.SqlException]) { return $null }
        $state = ''
        if ($failure.Number -eq 4060) { $state = Get-DatabaseState -String $string }
        return [pscustomobject] @{ Number = [int] $failure.Number; Message = [string] $failure.Message; State = $state }
    }
    finally { $connection.Dispose() }
}

# Returns the state of the database of a connection string as the server lists it, or
# an empty text when it does not.
# Source: Microsoft, sys.databases: state 0 is ONLINE; any login sees the list by
# VIEW ANY DATABASE, unless that was taken from the role public.
function Get-DatabaseState {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $String)

    $master = New-Object System.Data.SqlClient.SqlConnectionStringBuilder $String.ToString()
    $master['Initial Catalog'] = 'master'
    $connection = New-Object System.Data.SqlClient.SqlConnection $master.ToString()
    try {
        $connection.Open()
        $command = $connection.CreateCommand()
        $command.CommandText = 'SELECT CONVERT(int, state) FROM sys.databases WHERE name = @name'
        $null = $command.Parameters.AddWithValue('@name', [string] $String['Initial Catalog'])
        return [string] $command.ExecuteScalar()
    }
    catch { return '' }
    finally { $connection.Dispose() }
}


# The rights that the account of the task needs, in place of prelude/rights.ps1.

# None: the account is not an administrator and need not be one. So when it cannot
# reach the farm, the cause is not a token without administrator rights, which is
# what this function finds in a remote session.
function Assert-FarmRights {
    [CmdletBinding()]
    param()
}

# What a request may contain. Anything else is rejected before anything runs.
#
# Exact values are matched by a pattern or by Equals, because -ceq and -ccontains
# ignore invisible characters such as a soft hyphen.
# Source: Microsoft, String.Compare, on ignorable characters.

# The registered names of the two issuers of the procedure.
$FarmTrustIssuers = '67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195',
    '67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a'

# The parameters of each verb, and the fields of the objects in them, each with
# the kind of its value. A kind with a star is a list of such values.
$FarmTrustShapes = @{
    'Get-SharePointFarm' = @{ Sites = 'Site*'; RegisteredNames = 'Issuer*'; Names = 'Name*'; Thumbprints = 'Thumbprint*' }
    'Set-TrustedIssuer' = @{ Name = 'Name'; RegisteredName = 'Issuer'; Certificate = 'Certificate'; Sites = 'Site*' }
    'Add-RootAuthority' = @{ Authorities = 'Authority*' }
    'Remove-RootAuthority' = @{ Thumbprints = 'Thumbprint*'; RegisteredNames = 'Issuer*' }
    'Restore-TrustedIssuer' = @{
        RegisteredName = 'Issuer'; Ours = 'Thumbprint'; Previous = 'Previous'; Description = 'Description'; Permissions = 'Permission*'
    }
    'Permission' = @{ Site = 'Site'; Right = 'Right'; AppOnly = 'Switch' }
    'Authority' = @{ Name = 'Name'; Certificate = 'Certificate' }
}

# Reports whether a text is the base64 form of one certificate without a key.
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
    # \z, because $ also matches before a final line feed.
    if ($Kind -eq 'Issuer') { return $Value -cmatch "\A($($FarmTrustIssuers -join '|'))\z" }
    if ($Kind -eq 'Name') { return $Value -cmatch '\A[^\x00-\x1f\x7f]{1,256}\z' }
    if ($Kind -eq 'Site') { return $Value -cmatch '\Ahttps?://[^\x00-\x20\x7f"<>\\]{1,2000}\z' }
    if ($Kind -eq 'Thumbprint') { return $Value -cmatch '\A[0-9A-F]{40}\z' }
    if ($Kind -eq 'Right') { return $Value -cmatch '\A(Read|Write|Manage|FullControl)?\z' }
    if ($Kind -eq 'Description') { return $Value -cmatch '\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{0,4096}\z' }
    # An empty text means that there was no issuer before.
    if ($Kind -eq 'Previous' -and $Value.Length -eq 0) { return $true }
    if ($Kind -eq 'Previous') { return Test-EncodedCertificate -Text $Value }
    if ($Kind -eq 'Certificate') { return Test-EncodedCertificate -Text $Value }
    return $false
}

# Ends with an error unless a value is an object whose fields all belong to this
# shape. A field that is null counts as left out.
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
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name has a value that is not a valid $($kind.ToLowerInvariant())"
            }
        }
    }
}

# Requests and results are files in two folders beside this script. Access lists
# restrict who may write them, and the script still trusts nothing that it reads.

# Returns the requests in the order in which they were written. Files that are not
# named like a request are ignored.
function Get-RequestFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    $files = @(foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'requests'))) {
        if ([System.IO.Path]::GetFileName($path) -cmatch '\A[0-9a-f]{32}\.json\z') { New-Object System.IO.FileInfo $path }
    })
    return $files | Sort-Object -Property LastWriteTimeUtc
}

# Claims a request for this run by creating the file of its result, which it returns
# opened exclusively. Returns null when the request was claimed before.
function Open-ResultFile {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Id
    )

    $path = [System.IO.Path]::Combine($Folder, 'results', "$Id.json")
    if ([System.IO.File]::Exists($path)) { return $null }
    try { return New-Object System.IO.FileStream $path, 'CreateNew', 'Write', 'None' }
    catch {
        # Another run claimed it between the two lines above.
        if ([System.IO.File]::Exists($path)) { return $null }
        throw
    }
}

# Removes results that are older than an hour, far longer than any request is
# valid. Until then the result keeps the same request from running again, and
# afterwards the request has expired.
function Remove-OldResult {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)

    foreach ($path in [System.IO.Directory]::GetFiles([System.IO.Path]::Combine($Folder, 'results'), '*.json')) {
        if ([System.IO.File]::GetLastWriteTimeUtc($path) -lt (Get-MachineTime).AddHours(-1)) { [System.IO.File]::Delete($path) }
    }
}

# Returns the text of a request, or an empty text when it is a link or too large.
# Returns null while the request is being written, when it was withdrawn, and when
# this account may not read it, since one such file must not block the others.
function Read-RequestText {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)

    try {
        if (([int] $File.Attributes -band [int] [System.IO.FileAttributes]::ReparsePoint) -ne 0 -or $File.Length -gt 1048576) { return '' }
        return [System.IO.File]::ReadAllText($File.FullName)
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] { return $null }
}

# Returns a request as an object, or ends with an error when anything about it is
# not exactly as expected.
function ConvertTo-Request {
    [CmdletBinding()]
    param(
        [string] $Text,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Hash
    )

    try { $request = ConvertFrom-Json -InputObject $Text }
    catch { Stop-Script -Id 'TaskRefused' -Message 'the request is not JSON, a link, or larger than 1 MiB' }
    if ($request -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request is not an object'
    }
    $fields = @(foreach ($property in $request.PSObject.Properties) { $property.Name })
    if (-not ($fields -join ' ').Equals('id verb script expires params')) {
        Stop-Script -Id 'TaskRefused' -Message 'the request does not have exactly the fields id, verb, script, expires and params'
    }
    if ($request.id -isnot [string] -or -not $request.id.Equals($Id)) {
        Stop-Script -Id 'TaskRefused' -Message 'the ID of the request is not the name of its file'
    }
    if ($request.script -isnot [string] -or -not $request.script.Equals($Hash)) {
        Stop-Script -Id 'TaskVersion' -Message 'the request is for another version of this script'
    }
    if ($request.expires -isnot [int] -and $request.expires -isnot [long]) {
        Stop-Script -Id 'TaskRefused' -Message 'the request has no time at which it expires'
    }
    $left = [long] $request.expires - ([DateTimeOffset] (Get-MachineTime)).ToUnixTimeSeconds()
    if ($left -lt 0 -or $left -gt 900) {
        Stop-Script -Id 'TaskRefused' -Message "the request expires in $left seconds, not within the next 15 minutes"
    }
    if ($request.verb -isnot [string] -or $request.verb -cnotmatch "\A($($FarmTrustVerbs.Keys -join '|'))\z") {
        Stop-Script -Id 'TaskRefused' -Message 'the verb of the request is not one of this script'
    }
    Assert-Shape -Name $request.verb -Value $request.params
    return $request
}

# Runs a request and writes its result.
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
    $stream = Open-ResultFile -Folder $Folder -Id $id
    if ($null -eq $stream) { return }
    try {
        try {
            $request = ConvertTo-Request -Text $text -Id $id -Hash $Hash
            $verb = $FarmTrustVerbs[$request.verb]
            $outcome = Invoke-Script -Name $request.verb -Script $verb -Params $request.params
        }
        catch { $outcome = '"error":' + (ConvertTo-AsciiJson -Value (ConvertTo-Failure -Record $_)) }
        $bytes = [System.Text.Encoding]::ASCII.GetBytes('{"id":"' + $id + '","script":"' + $Hash + '",' + $outcome + '}')
        $stream.Write($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
}

# The verbs: the text of farmtrust's own scripts.
$FarmTrustVerbs = @{}

$FarmTrustVerbs['Add-RootAuthority'] = {
<#
.SYNOPSIS
Adds certificates to SharePoint's trusted root authorities.
.DESCRIPTION
A certificate that an authority already holds, under whatever name, is not added
again. Existing authorities are never changed.
Microsoft's procedure adds a self-signed certificate. For one that a CA issued,
every certificate of its chain must be trusted as well.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; "Creating SharePoint Add-ins that
use high-trust authorization".
.PARAMETER Authorities
Objects with Name, which a new authority gets, and Certificate, DER in base64.
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
Observes a SharePoint farm: its trusted issuers and root authorities, its app
permissions, the services that these need, and its servers.
.DESCRIPTION
Changes nothing. It runs on a front end and needs access to the configuration
database.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; SPWebApplication and
SPServiceApplicationProxyGroup; "Configure site mailboxes in SharePoint Server" on
App Management and Subscription Settings. Types of services as SharePointDsc finds
them; those of their proxies are inferred from the cmdlets that make them.
.PARAMETER Sites
The site collections whose app permissions and service proxies are read.
.PARAMETER RegisteredNames
The registered names of the issuers to return, in lower case. Issuers of the same
application, the part before the @, are returned too.
.PARAMETER Names
The display names that new issuers would get. An issuer that already has one is
returned too.
.PARAMETER Thumbprints
Certificates: every issuer that holds one is returned.
#>
[CmdletBinding()]
param(
    [string[]] $Sites = @(),
    [string[]] $RegisteredNames = @(),
    [string[]] $Names = @(),
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$farm = Get-Farm

$applications = @(foreach ($registered in $RegisteredNames) { $registered.Split('@')[0] })
$issuers = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    $thumbprint = ''
    $der = New-Object byte[] 0
    if ($null -ne $issuer.SigningCertificate) {
        $thumbprint = [string] $issuer.SigningCertificate.Thumbprint
        $der = $issuer.SigningCertificate.RawData
    }
    if ($registered.Split('@')[0] -notin $applications -and $issuer.Name -notin $Names -and $thumbprint -notin $Thumbprints) { continue }
    [pscustomobject] @{
        name = [string] $issuer.Name
        registeredName = $registered
        thumbprint = $thumbprint
        certificate = $der
        # The object has no property IsTrustBroker; IsSelfIssuer is its complement.
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

$profileService = 'Microsoft.Office.Server.Administration.UserProfileApplication'
$proxied = New-Object System.Collections.Generic.List[string]
$permissions = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
        foreach ($proxy in $site.WebApplication.ServiceApplicationProxyGroup.Proxies) {
            if ($proxy.GetType().FullName -eq "${profileService}Proxy" -and -not $proxied.Contains($url)) { $proxied.Add($url) }
        }
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

# Found by type, because the display names of services are localized. Of another
# farm's service there is only a proxy here.
$services = @(foreach ($service in Get-SPServiceApplication) { $service.GetType().FullName })
$proxies = @(foreach ($proxy in Get-SPServiceApplicationProxy) { $proxy.GetType().FullName })

# Database and mail servers have the role Invalid.
$members = @(foreach ($server in Get-SPServer) {
    if ([string] $server.Role -ne 'Invalid') { [string] $server.Name }
})

[pscustomobject] @{
    version = [string] $farm.BuildVersion
    issuers = $issuers
    rootAuthorities = $authorities
    permissions = $permissions
    userProfileServices = @($services -eq $profileService).Count
    userProfileProxies = @($proxies -eq "${profileService}Proxy").Count
    proxiedSites = @($proxied)
    appManagement = @($services + $proxies -match '\.AppManagementServiceApplication(Proxy)?$').Count
    subscriptionSettings = @($services + $proxies -match '\.SPSubscriptionSettingsServiceApplication(Proxy)?$').Count
    allowOAuthOverHttp = [bool] (Get-SPSecurityTokenServiceConfig).AllowOAuthOverHttp
    members = $members
    machine = Get-Machine
}
}

$FarmTrustVerbs['Remove-RootAuthority'] = {
<#
.SYNOPSIS
Removes SharePoint's trusted root authorities that hold one of the certificates.
.DESCRIPTION
They are found by certificate, whatever their names. The farm's own authority,
local, is never removed, nor is one that the certificate of another issuer needs.
Source: Microsoft, Remove-SPTrustedRootAuthority; KB2545744 on the authority
local.
.PARAMETER Thumbprints
The certificates.
.PARAMETER RegisteredNames
The registered names, in lower case, of the issuers whose needs do not count.
#>
[CmdletBinding()]
param(
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @(),
    [string[]] $RegisteredNames = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$others = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    if ($null -ne $issuer.SigningCertificate -and $registered -notin $RegisteredNames) { $issuer }
})
$authorities = @(Get-SPTrustedRootAuthority)
$kept = New-Object System.Collections.Generic.List[string]
$names = @(foreach ($authority in $authorities) {
    if ($authority.Name -eq 'local' -or $null -eq $authority.Certificate -or $authority.Certificate.Thumbprint -notin $Thumbprints) { continue }
    $needy = @(foreach ($issuer in $others) {
        if (Test-Chain -Certificate $issuer.SigningCertificate -Authority $authority.Certificate -Among $authorities) { [string] $issuer.Name }
    })
    if ($needy.Count -eq 0) { [string] $authority.Name }
    else { $kept.Add("'$($authority.Name)', which issuer '$($needy[0])' needs") }
})

foreach ($name in $names) { Remove-SPTrustedRootAuthority -Identity $name -Confirm:$false | Out-Null }

foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -in $names) {
        Stop-Script -Id 'SettingNotKept' -Message "root authority '$($authority.Name)' is still there after it was removed"
    }
}

[pscustomobject] @{ changed = $names.Count -gt 0; removed = $names; kept = @($kept) }
}

$FarmTrustVerbs['Restore-TrustedIssuer'] = {
<#
.SYNOPSIS
Restores a trusted security token issuer to its state before a rotation.
.DESCRIPTION
It changes only what the rotation changed: an issuer that has the rotation's
certificate, an app principal that has full control. An issuer that existed before
gets its certificate and description back and is never removed. The time is
recorded in its description, because servers have to load it again. An issuer that
did not exist before is removed, after its permissions.
Source: Microsoft, Set-SPTrustedSecurityTokenIssuer,
Remove-SPTrustedSecurityTokenIssuer, Remove-SPAppPrincipalPermission.
.PARAMETER RegisteredName
The registered issuer name.
.PARAMETER Ours
The thumbprint that the rotation set.
.PARAMETER Previous
The certificate before the rotation, DER in base64, empty when there was no issuer.
.PARAMETER Description
The description before the rotation.
.PARAMETER Permissions
The rights of the app principal before the rotation: objects with Site, Right and
AppOnly.
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

# Reports whether two permissions are the same. Without a right AppOnly means
# nothing.
function Test-SamePermission {
    [CmdletBinding()]
    param([object] $One, [object] $Other)

    return $One.Right -eq $Other.Right -and ($One.Right -eq '' -or [bool] $One.AppOnly -eq [bool] $Other.AppOnly)
}

# Returns the app principal on a site, or null when the site has none by that name.
function Find-AppPrincipal {
    [CmdletBinding()]
    param([string] $Site, [object] $Issuer)

    if ($null -ne $Issuer) { return Get-SPAppPrincipal -Site $Site -NameIdentifier $Issuer.NameId }
    # Whether the principal survives the removal of its issuer is not documented.
    try { return Get-SPAppPrincipal -Site $Site -NameIdentifier $RegisteredName }
    catch { return $null }
}

# Restores the permission on one site and reports whether it changed.
function Restore-AppPermission {
    [CmdletBinding()]
    param([object] $Web, [object] $Was, [object] $Issuer)

    $now = Get-AppPermission -Web $Web -RegisteredName $RegisteredName
    if (Test-SamePermission -One $now -Other $Was) { return $false }
    $ours = $now.Right -eq 'FullControl' -and $now.AppOnly
    # After the first of the two calls below there is no right at all.
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
    # Inferred: setting a lesser right does not end app-only access, since only
    # the Remove cmdlet has a switch for that.
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
        Stop-Script -Id 'SettingNotKept' -Message "the app permission of $RegisteredName at $($Was.Site) is not what it was restored to"
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
    Stop-Script -Id 'ChangedSince' -Message "the issuer $RegisteredName has certificate '$held', neither '$Ours' nor '$wanted'"
}

$restored = @(foreach ($was in $Permissions) {
    $site = Get-SPSite -Identity $was.Site
    try { if (Restore-AppPermission -Web $site.RootWeb -Was $was -Issuer $issuer) { $was.Site } }
    finally { $site.Dispose() }
})

$due = $held -ne $wanted
if ($due -and $null -ne $before) {
    $text = ConvertTo-MarkedText -Text $Description
    # Without -IsTrustBroker a trust broker would no longer be one.
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
    Stop-Script -Id 'SettingNotKept' -Message "the issuer $RegisteredName has certificate '$left' after it was restored to '$wanted'"
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
The issuer is found by its registered name, whatever its display name, and updated
in place. The time is recorded at the end of its description. The permission is
granted on the root web of each site, at the scope of the site subscription,
unless it exists.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "To register a trusted token issuer".
.PARAMETER Name
The display name of a new issuer.
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
    # are mandatory. Without -IsTrustBroker a trust broker would no longer be one.
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

# The task itself: runs all waiting requests, one after the other.
$FarmTrustHash = Get-ScriptHash -Path $PSCommandPath
Remove-OldResult -Folder $PSScriptRoot
foreach ($file in Get-RequestFile -Folder $PSScriptRoot) {
    Complete-Request -File $file -Folder $PSScriptRoot -Hash $FarmTrustHash
}
